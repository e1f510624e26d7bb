"""Rules for all tests: where everything must run, one left out has failed; none logs into another's stream; none fails
because the machine was slow for a moment; and what they import is compiled once."""

import gc
import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings

from gatekeeper.logs import reset_logs

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

EVERYTHING_MUST_RUN = "GATEKEEPER_REQUIRE_ALL"
"""Set (to anything) where a skipped test would go unseen, such as in continuous integration."""


settings.register_profile("gatekeeper", deadline=None)
settings.load_profile("gatekeeper")


def pytest_configure(config: pytest.Config) -> None:
    """Tests start the program again and again. Where the environment forbids bytecode beside the sources, each start
    would compile everything anew, which takes longer than most tests: it is kept apart then.

    While tests are collected nothing is thrown away, and half the time went into looking for what could be.
    """
    if sys.dont_write_bytecode:
        directory = str(config.rootpath / ".pytest_cache" / "bytecode")
        sys.dont_write_bytecode, sys.pycache_prefix = False, directory
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = directory
    gc.disable()
    # Every client of an SDK reads all the authorities there are anew, which takes longer than its test. No test calls
    # anybody out there; the one authority left has signed nothing, and its key was thrown away.
    os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("nobody.pem"))


def pytest_collection_finish() -> None:
    """What was collected and imported stays to the end: the garbage collector looks at the rest alone."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup` several processes share the tests as `tests/scheduling.py` says."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from tests.scheduling import ByFile  # noqa: PLC0415 - xdist is not there for all who read this file

    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that was skipped, or was expected to fail, is a failure."""
    return _failed_if_left_out((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So is a module that skipped itself while it was imported."""
    return _failed_if_left_out((yield))


def _failed_if_left_out(report: Report) -> Report:
    if report.skipped and os.environ.get(EVERYTHING_MUST_RUN):
        report.longrepr = f"{EVERYTHING_MUST_RUN} is set, and this did not run: {report.longreprtext}"
        report.outcome = "failed"
        # With this attribute pytest still counts it as expected.
        vars(report).pop("wasxfail", None)
    return report


@pytest.fixture(autouse=True)
def _logging_is_each_tests_own() -> Iterator[None]:
    """A test that set logging up leaves nothing of it: its stream may be closed by then."""
    yield
    reset_logs()


@pytest.fixture
def swept() -> Iterator[None]:
    """What programs leave unclosed is collected at the end of their own test, which puts up with it: by itself the
    collector would come upon it in some later test, which does not."""
    yield
    gc.collect()
