"""`make bench-growth`: what a request costs, what memory and a start take, beside little and beside much.

    python -m benchmarks.growth [--quick] [--only teams,models,settled,jobs] [--budget-s 950]

10 to 1,000,000 teams; the shipped catalog and 10,000 models more; no settled holds and 1,000,000 of one team; 1 open
job and 10,000. Each size has a store and a gateway of its own, and all take their turns in each round.
"""

import sys
from typing import Final

from benchmarks.grown import jobs, models, settled, teams
from benchmarks.grown.sizes import FULL, QUICK
from benchmarks.running import Part, carry_out

PARTS: Final = {
    "teams": Part(teams.run),
    "models": Part(models.run),
    "settled": Part(settled.run),
    "jobs": Part(jobs.run),
}

if __name__ == "__main__":
    told = "What a request, memory and a start cost the more there is."
    sys.exit(carry_out("benchmarks.growth", told, PARTS, {"full": FULL, "quick": QUICK}, "-growth"))
