"""What can be set on the sandbox, and the limits that cannot."""

import re
from dataclasses import dataclass, field

BODY_BYTES_MAX = 64 * 1024 * 1024
"""The gateway's own default limit: whatever it lets through arrives here whole."""

WAIT_S_MAX = 600.0
"""The longest wait of any kind. The patience of the most patient official SDK by default; then a test has hung."""

RECENT_REQUESTS_MAX = 10_000
"""About 2 KB are kept of each request, so this is 20 MB."""

FILES_MAX = 100_000
"""A file is remembered as its spec, about 2 KB at most, and drawn again when it is fetched: 200 MB at the very most."""


JOBS_MAX = 100_000
"""A job is remembered as its specs and a few facts, about 2 KB: 200 MB at the very most."""

WEBHOOK_SECRET = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldC0zMi1ieXRlcyE="  # noqa: S105  # it protects nothing
"""Known to all the world, so that a demo needs no setting. Nothing that the sandbox says is worth a forgery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """How the sandbox behaves when a request does not say otherwise.

    Attributes:
        latency_s: how long every generation takes before its answer begins.
        slow_body_s: over how long the body of an answer is sent.
        fail_rate: share of generations that answer `fail_status`, 0 to 1.
        fail_status: the HTTP status of those failures.
        empty_rate: share of generations that answer 200 with no image in it.
        cut_rate: share of generations whose connection is cut in mid-body.
        seed: the same seed and the same order of requests give the same misfortunes.
        public_url: how clients reach the sandbox, when that differs from the `Host` of the requests it gets.
        recent_requests: how many requests the record keeps in detail.
        files: how many pictures and films stay fetchable by URL.
        job_s: how long a job takes from its submission to its end.
        jobs: how many jobs it remembers; the oldest that has ended goes first.
        webhook_secret: what webhooks after Standard Webhooks are signed with.
        cache_bytes: memory for encoded files, so that a benchmark measures the gateway and not the drawing.
    """

    latency_s: float = 0.0
    slow_body_s: float = 0.0
    fail_rate: float = 0.0
    fail_status: int = 500
    empty_rate: float = 0.0
    cut_rate: float = 0.0
    seed: int = 0
    public_url: str | None = None
    recent_requests: int = 100
    files: int = 1_000
    job_s: float = 0.3
    jobs: int = 1_000
    webhook_secret: str = field(default=WEBHOOK_SECRET, repr=False)
    cache_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise ValueError(problem)

    def _problems(self) -> list[str]:
        """Every setting that is out of its range, the first of which is raised."""
        waits = {"latency_s": self.latency_s, "slow_body_s": self.slow_body_s, "job_s": self.job_s}
        rates = {"fail_rate": self.fail_rate, "empty_rate": self.empty_rate, "cut_rate": self.cut_rate}
        counts = {
            "recent_requests": (self.recent_requests, RECENT_REQUESTS_MAX),
            "files": (self.files, FILES_MAX),
            "jobs": (self.jobs, JOBS_MAX),
        }
        problems = [
            f"{name} is {s}; it must be 0 to {WAIT_S_MAX:g}" for name, s in waits.items() if not 0 <= s <= WAIT_S_MAX
        ]
        problems += [f"{name} is {rate}; it must be 0 to 1" for name, rate in rates.items() if not 0 <= rate <= 1]
        problems += [f"{name} is {n}; it must be 1 to {top}" for name, (n, top) in counts.items() if not 1 <= n <= top]
        if sum(rates.values()) > 1:
            problems.append(f"{', '.join(rates)} add up to more than 1")
        if not 400 <= self.fail_status <= 599:
            problems.append(f"fail_status is {self.fail_status}; it must be 400 to 599")
        if self.cache_bytes < 0:
            problems.append(f"cache_bytes is {self.cache_bytes}; it must be 0 or more")
        if not re.fullmatch(r"whsec_[A-Za-z0-9+/]{32,88}={0,2}", self.webhook_secret):
            problems.append("webhook_secret is none; it must be whsec_ and 24 to 64 bytes in base64")
        return problems
