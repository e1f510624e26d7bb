"""Who runs what when tests run in several processes: a file is one process's, unless its tests are long.

So what a file sets up once is set up once, and a store of several servers is started by one process only. The marks
of pytest-xdist for it are not seen by the version in use, and how long a test takes it does not know: that stands here.
"""

import re

from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

BROWSER = "tests/browser/"
"""All of its tests share one browser and one gateway."""

LONG_FIRST = (
    BROWSER,
    "tests/torture/test_short.py",
    "tests/system/test_outbox.py",
    "tests/system/test_jobs_cut_short.py",
    "tests/ledger/test_failover.py",
    "tests/system/test_process.py",
    "tests/docs/test_snippets.py",
    "tests/system/test_workers.py",
    "tests/system/test_workers_trouble.py",
    "tests/system/test_deployed.py",
    "tests/system/test_jobs_reconciled.py",
    "tests/ledger/test_sentinel.py",
    "tests/ledger/test_states.py",
    "tests/cli/test_running.py",
    "tests/system/test_decisions_time.py",
    "tests/house/test_teams_guide.py",
    "tests/system/test_lost_holds.py",
    "tests/system/test_memory.py",
    "tests/system/test_webhooks_trouble.py",
    "tests/cli/test_api_documents.py",
)
"""Files that take longest: they begin first, so that at the end all processes end at about the same time."""

ONE_BY_ONE = {*LONG_FIRST} - {
    BROWSER,
    "tests/docs/test_snippets.py",
    "tests/ledger/test_failover.py",
    "tests/ledger/test_sentinel.py",
}
"""Those of them whose tests take seconds each and share nothing."""

STORE = re.compile(r"[\[-](cluster|sentinel)[-\]]")
"""Among the parameters of each test in `tests/ledger/test_everywhere.py`."""


class ByFile(LoadScopeScheduling):
    """Gives each process a file at a time, or one test of a long file."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Hands out the next unit: those of long files before the others, which come larger ones first."""
        self.workqueue.move_to_end(min(self.workqueue, key=_rank), last=False)
        super()._assign_work_unit(node)


def unit_of(nodeid: str) -> str:
    """What a test is handed out with: its file, its store, or itself alone."""
    path = nodeid.partition("::")[0]
    if path in ONE_BY_ONE:
        return nodeid
    if path.startswith(BROWSER):
        return BROWSER
    store = STORE.search(nodeid)
    return f"{path} {store[1]}" if store and path.endswith("test_everywhere.py") else path


def _rank(unit: str) -> int:
    path = unit.partition("::")[0]
    return LONG_FIRST.index(path) if path in LONG_FIRST else len(LONG_FIRST)
