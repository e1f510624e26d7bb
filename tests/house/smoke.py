"""`make release-check`: is what would be published whole? A wheel is installed where nothing of this project is, with
the dependencies that uv.lock names, and its demo is run: a picture, a refusal, the console, a clean end.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import Parser
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]

UV: Final = (sys.executable, "-m", "uv")

START_S: Final = 60
"""A first start compiles everything; this is for a machine that is busy with everything else."""

ANSWER_S: Final = 30

TAG: Final = "TAG"
"""Variable with the tag that is released, if one is."""


Install = Callable[[Path, Path], str]
"""Installs a wheel below a folder; its command."""


def main(wheel: Path, install: Install) -> None:
    """Raises AssertionError, or what failed."""
    version = version_in(wheel)
    check_tag(os.environ.get(TAG, ""), version)
    with tempfile.TemporaryDirectory(prefix="gatekeeper-release-") as scratch:
        program = install(wheel, Path(scratch))
        said = subprocess.run((program, "--version"), capture_output=True, text=True, check=True).stdout
        assert version in said, f"--version says {said!r} and not {version}"
        with demo(program, Path(scratch)) as banner:
            check_demo(banner)
    sys.stdout.write(f"{wheel.name}: installed alone, it made a picture, refused one, and ended cleanly\n")


def version_in(wheel: Path) -> str:
    """What its metadata say."""
    with zipfile.ZipFile(wheel) as opened:
        name = next(each for each in opened.namelist() if each.endswith(".dist-info/METADATA"))
        return str(Parser().parsestr(opened.read(name).decode())["Version"])


def check_tag(tag: str, version: str) -> None:
    """A tag is `v` and the version; no tag is no release."""
    assert tag in {"", f"v{version}"}, f"the tag is {tag} and the version {version}: they belong together"


def installed(wheel: Path, scratch: Path) -> str:
    """The command of the wheel in an environment of its own, with what the lock names and nothing for tests."""
    environment = scratch / "venv"
    settings = {"UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": str(environment), "VIRTUAL_ENV": ""}
    python = ("--python", sys.executable)
    for arguments in (
        ("sync", "--quiet", "--locked", "--no-dev", "--no-install-project", *python),
        ("pip", "install", "--quiet", "--no-deps", "--python", str(environment), str(wheel.resolve())),
    ):
        subprocess.run((*UV, *arguments), check=True, cwd=ROOT, env=os.environ | settings)
    return str(environment / "bin" / "gatekeeper")


@contextmanager
def demo(program: str, scratch: Path) -> Iterator[str]:
    """A running demo in an empty folder: what it printed. Its end is clean, or this fails."""
    folder = scratch / "empty"
    folder.mkdir()
    plain = {"PATH": f"{Path(program).parent}:{os.environ['PATH']}", "HOME": str(folder)}
    command = ("timeout", str(START_S + 4 * ANSWER_S), program, "demo", "--port", "0", "--admin-port", "0")
    with subprocess.Popen(command, cwd=folder, env=plain, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield _until(running, "Ctrl-C")
            running.terminate()
            assert running.wait(ANSWER_S) == 0, "the demo did not end cleanly"
        finally:
            running.kill()


def _until(running: subprocess.Popen[str], last: str) -> str:
    """What it prints up to a line with this."""
    assert running.stdout is not None
    lines = list[str]()
    for line in running.stdout:
        lines.append(line)
        if last in line:
            break
    return "".join(lines)


def check_demo(banner: str) -> None:
    """What the banner promises is so."""
    found = re.search(r"curl -sS (http://\S+)/v1/generations -H 'Authorization: Bearer (\S+)'", banner)
    console = re.search(r"Console: +(http://\S+)/ ", banner)
    assert found is not None, f"no command in {banner!r}"
    assert console is not None, f"no console in {banner!r}"
    made, cost = ask(found[1], found[2], "16:9")
    refused, _ = ask(found[1], found[2], "2:1")
    assert (made, cost) == (200, "49"), f"a picture: {made}, charged {cost}"
    assert refused == 422, f"an unknown ratio: {refused}"
    with urllib.request.urlopen(f"{console[1]}/login", timeout=ANSWER_S) as page:
        assert b"gatekeeper" in page.read()


def ask(url: str, key: str, ratio: str) -> tuple[int, str | None]:
    """One picture: the status, and what was charged."""
    body: dict[str, Any] = {"model": "nano-banana-2", "operation": "image.generate", "prompt": "a cat"}
    body |= {"resolution": "1K", "aspect_ratio": ratio}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/generations", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            return answer.status, answer.headers["Gatekeeper-Credits-Charged"]
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, None


if __name__ == "__main__":
    main(Path(sys.argv[1]), installed)
