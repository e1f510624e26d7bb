"""`sandbox`: the stand-in provider alone, until it is told to stop."""

import asyncio
import signal
from typing import Annotated, Any

import typer

from gatekeeper.app import run_until_done
from gatekeeper.sandbox import SandboxSettings, start_sandbox
from gatekeeper.sandbox.settings import FILES_MAX, JOBS_MAX, RECENT_REQUESTS_MAX, WAIT_S_MAX

PORT_DEFAULT = 9000
"""Next to the gateway's own 8080 and 8081, and as easy to remember."""

_MIB = 1024 * 1024

_MOOD = "How it behaves when a request does not say otherwise"
_MEMORY = "What it remembers"


def _behaviour(metavar: str, low: float, high: float, text: str) -> Any:
    return typer.Option(min=low, max=high, metavar=metavar, help=text, rich_help_panel=_MOOD)


def _memory(low: int, high: int | None, text: str) -> Any:
    return typer.Option(min=low, max=high, metavar="N", help=text, rich_help_panel=_MEMORY)


Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")]
PublicUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="Its address for clients, if not the one they call.")
]
Latency = Annotated[float, _behaviour("S", 0, WAIT_S_MAX, "Seconds before an answer begins.")]
SlowBody = Annotated[float, _behaviour("S", 0, WAIT_S_MAX, "Seconds over which an answer is sent.")]
FailRate = Annotated[float, _behaviour("F", 0, 1, "Share of generations that fail, 0 to 1.")]
FailStatus = Annotated[int, _behaviour("N", 400, 599, "HTTP status of those failures.")]
EmptyRate = Annotated[float, _behaviour("F", 0, 1, "Share that succeed without an image.")]
CutRate = Annotated[float, _behaviour("F", 0, 1, "Share whose connection is cut in mid-answer.")]
Seed = Annotated[int, typer.Option(metavar="N", help="The same seed, the same misfortunes.", rich_help_panel=_MOOD)]
RecentRequests = Annotated[int, _memory(1, RECENT_REQUESTS_MAX, "Requests that its record keeps in detail.")]
Files = Annotated[int, _memory(1, FILES_MAX, "Pictures and films that stay fetchable by URL.")]
Job = Annotated[float, _behaviour("S", 0, WAIT_S_MAX, "Seconds that a job takes.")]
Jobs = Annotated[int, _memory(1, JOBS_MAX, "Jobs that it can be asked about.")]
CacheMb = Annotated[int, _memory(0, None, "MiB of encoded pictures, so that a benchmark does not measure drawing.")]

_USUAL = SandboxSettings()


def sandbox(  # noqa: PLR0913 - each argument is an option of the command
    *,
    host: Host = "127.0.0.1",
    port: Port = PORT_DEFAULT,
    public_url: PublicUrl = None,
    latency: Latency = _USUAL.latency_s,
    slow_body: SlowBody = _USUAL.slow_body_s,
    fail_rate: FailRate = _USUAL.fail_rate,
    fail_status: FailStatus = _USUAL.fail_status,
    empty_rate: EmptyRate = _USUAL.empty_rate,
    cut_rate: CutRate = _USUAL.cut_rate,
    job: Job = _USUAL.job_s,
    seed: Seed = _USUAL.seed,
    recent_requests: RecentRequests = _USUAL.recent_requests,
    files: Files = _USUAL.files,
    jobs: Jobs = _USUAL.jobs,
    cache_mb: CacheMb = _USUAL.cache_bytes // _MIB,
) -> None:
    """Run the stand-in provider alone: it speaks the wire formats and draws real images.

    For demos, tests and benchmarks. A single request can ask for misfortune by its header Sandbox-Behaviour; the
    options here are for all of them. Its own URL says more.
    """
    try:
        settings = SandboxSettings(
            latency_s=latency,
            slow_body_s=slow_body,
            fail_rate=fail_rate,
            fail_status=fail_status,
            empty_rate=empty_rate,
            cut_rate=cut_rate,
            job_s=job,
            seed=seed,
            public_url=public_url,
            recent_requests=recent_requests,
            files=files,
            jobs=jobs,
            cache_bytes=cache_mb * _MIB,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    run_until_done(_run(settings, host, port))


async def _run(settings: SandboxSettings, host: str, port: int) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    running = await start_sandbox(settings, host, port)
    try:
        print(f"sandbox: {running.url} (a stand-in provider; Ctrl-C ends it)", flush=True)
        await stopping.wait()
    finally:
        await running.close()
