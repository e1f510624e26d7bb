"""Where everything must run, nothing is left out in silence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"

LEFT_OUT = {
    "skipped": "import pytest\n\n\ndef test_it():\n    pytest.skip('no server')\n",
    "expected to fail": "import pytest\n\n\n@pytest.mark.xfail\ndef test_it():\n    assert False\n",
    "a skipped module": "import pytest\n\npytest.skip('no server', allow_module_level=True)\n",
}


def exit_status(directory: Path, source: str, **environment: str) -> int:
    """What pytest ends with for one test file under the project's own conftest."""
    (directory / "conftest.py").write_text(CONFTEST.read_text())
    (directory / "test_one.py").write_text(source)
    others = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "GATEKEEPER_"))}
    environment |= others | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(directory)]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, check=False)
    return done.returncode


@pytest.mark.parametrize("source", LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_test_that_did_not_run_has_failed(tmp_path: Path, source: str) -> None:
    """With GATEKEEPER_REQUIRE_ALL set a session in which something was left out does not succeed."""
    status = exit_status(tmp_path, source, GATEKEEPER_REQUIRE_ALL="1")

    assert status in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}


def test_on_a_desk_a_skipped_test_is_only_skipped(tmp_path: Path) -> None:
    """Without it, leaving a test out is nobody's failure."""
    assert pytest.ExitCode.OK == exit_status(tmp_path, LEFT_OUT["skipped"])
