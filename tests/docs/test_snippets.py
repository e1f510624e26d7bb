"""What README and docs/ show can be typed as it stands: programs and commands are run against one running demo, files
are read by what reads them, and for what cannot be run `tests/docs/snippets.py` says why."""

import io
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.catalog import load_catalog
from gatekeeper.demo import DEMO_CREDITS, DEMO_KEY
from gatekeeper.logs import configure_logs
from gatekeeper.settings import load_settings
from gatekeeper.yamlfile import load_yaml
from tests.cases import case
from tests.docs.desk import ADMIN_TOKEN, Desk, running_desk
from tests.docs.reader import Reader, commands, missing, steps
from tests.docs.snippets import (
    FOR_PEOPLE,
    LANGUAGES,
    LEFT_OUT,
    NOT_RUN,
    ONLY_COMPILED,
    ROOT,
    RUN_ELSEWHERE,
    Snippet,
    documents,
    run_here,
    snippets,
)
from tests.system.tlsrelay import CERTIFICATE

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("swept"),
]
"""Of the SDKs; all but the first for programs that end without closing their client."""

PAUSE_S_MAX = 0.05
"""A film of the sandbox's takes no longer."""

STUDIO_KEY = "gk_studio_0123456789abcdef"

PROGRAM_APART = "import fal_client"

CLIENT = f"""
from openai import OpenAI
client = OpenAI(base_url="http://127.0.0.1:8080/openai/v1", api_key="{DEMO_KEY}")
"""

FIRST = {"docs/repeating.md": CLIENT}
"""What a page leaves to the reader before its first program."""

PAGES = [document for document in documents() if run_here(document)]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One demo for all pages."""
    with running_desk(tmp_path_factory.mktemp("desk")) as running:
        running.give("studio", STUDIO_KEY, DEMO_CREDITS)
        yield running


@pytest.fixture
def log() -> io.BytesIO:
    """What the gateway logs."""
    stream = io.BytesIO()
    configure_logs("info", "json", stream)
    return stream


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory like the project's with a picture in it, and a shell of one's own; nobody waits for long."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("GATEKEEPER_")]:
        del os.environ[name]
    (tmp_path / "config").mkdir()
    for name in ("catalog", "gatekeeper.yaml", "teams.yaml"):
        (tmp_path / "config" / name).symlink_to(ROOT / "config" / name)
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda s: sleep(min(s, PAUSE_S_MAX)))
    yield tmp_path
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def reader(desk: Desk, home: Path, log: io.BytesIO, request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Somebody with the page's addresses, and with credits that no other page spends."""
    page = request.node.callspec.params["document"]
    team = re.sub(r"[^a-z]+", "-", page.lower()).strip("-")
    key = DEMO_KEY if page == "docs/quickstart.md" else f"gk_{team}-{'0' * 20}"
    if key != DEMO_KEY:
        desk.give(team, key, DEMO_CREDITS)
    os.environ |= {
        "COLUMNS": "250",
        "GATEKEEPER_STORE__URL": desk.gateway.store.url,
        "GATEKEEPER_ADMIN_TOKEN": ADMIN_TOKEN,
        "KEY": STUDIO_KEY,
    }
    url = desk.gateway.url
    places = {
        "https://gateway.example.com": desk.https_url,
        "gateway.example.com": desk.https_url.removeprefix("https://"),
        "http://bfl.localhost:8080": url.replace("127.0.0.1", "localhost"),
        "http://127.0.0.1:8080": url,
        "http://127.0.0.1:8081": desk.gateway.admin_url,
        "THE_STORE_IT_PRINTS": desk.gateway.store.url,
    }
    reader = Reader(places | ({} if key == DEMO_KEY else {DEMO_KEY: key}), NOT_RUN)
    yield reader
    reader.leave()


def do(reader: Reader, snippet: Snippet, log: io.BytesIO) -> None:
    """Types, runs or reads a block."""
    match snippet.language:
        case "python" if PROGRAM_APART in snippet.text:
            reader.run_apart(snippet.text, SSL_CERT_FILE=str(CERTIFICATE))
        case "python":
            run(reader, snippet)
        case "sh":
            for command in commands(snippet.text):
                with case(command):
                    reader.type(command)
        case "console":
            for command, shown in steps(snippet.text):
                Path("gateway.log").write_bytes(log.getvalue())
                with case(command):
                    assert_shown(reader, command, shown)
        case "json":
            assert isinstance(json.loads(snippet.text), dict)
        case "yaml":
            read_yaml(reader, snippet)


def run(reader: Reader, snippet: Snippet) -> None:
    """A program, or only its syntax where the page leaves something out of it."""
    if snippet.document in ONLY_COMPILED and LEFT_OUT in snippet.text:
        compile(snippet.text, snippet.name, "exec")
        return
    if not reader.names and snippet.document in FIRST:
        reader.run(FIRST[snippet.document])
    reader.run(snippet.text)


def assert_shown(reader: Reader, command: str, shown: list[str]) -> None:
    """The command prints what is shown; a gateway that remembers a team for a second does so a second later."""
    wrong = missing(shown, reader.type(command))
    for _ in range(60):
        if wrong is None or not command.startswith("curl"):
            break
        time.sleep(PAUSE_S_MAX)
        wrong = missing(shown, reader.type(command))
    assert wrong is None, wrong


def read_yaml(reader: Reader, snippet: Snippet) -> None:
    """A file of ours is read by what reads such files, any other as YAML."""
    path = Path(snippet.file or "snippet.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(snippet.text)
    keys = set(load_yaml(path).data)
    if "models" in keys:
        assert load_catalog([path]).models
    elif keys == {"teams"}:
        assert load_teams(path).teams
    elif keys & {"providers", "server", "store", "jobs", "log", "webhooks", "catalog"}:
        load_settings(path)


@pytest.mark.parametrize("document", PAGES)
def test_a_page_can_be_typed_as_it_stands(document: str, reader: Reader, log: io.BytesIO) -> None:
    """Each program ends without an error, each command prints what is shown, each file is read without a problem."""
    for snippet in run_here(document):
        with case(snippet.name):
            do(reader, snippet, log)


def test_every_block_has_a_language_that_is_known() -> None:
    """Nothing is passed by because its fence says something new."""
    assert [] == [
        each.name for page in documents() for each in snippets(page) if each.language not in LANGUAGES | FOR_PEOPLE
    ]


def test_what_is_run_elsewhere_is_run_there() -> None:
    """The other tests name the page, and the page has such blocks still."""
    for page, (test, languages) in RUN_ELSEWHERE.items():
        text = (ROOT / test).read_text()
        assert Path(page).name in text
        assert languages <= {each.language for each in snippets(page)}


def test_what_is_not_run_is_counted() -> None:
    """Every command that no test types stands in a page, and there are no more of them than these."""
    typed = [line for page in documents() for each in snippets(page) if each.language in {"sh", "console"}
             for line in each.text.splitlines()]  # fmt: skip

    assert set() == set(NOT_RUN) - {line.removeprefix("$ ") for line in typed}
    shown = [each.name for page in documents() for each in snippets(page) if each.language in FOR_PEOPLE]
    assert (11, 1, 4) == (len(NOT_RUN), len(ONLY_COMPILED), len(shown))


def test_a_line_that_is_not_printed_is_found() -> None:
    """The comparison takes no line that is another one, and none out of its order."""
    printed: Any = "a 1\nb 2\n"

    assert missing(["a …", "b 2"], printed) is None
    assert "'b 3' is not in its place" in str(missing(["b 3"], printed))
    assert missing(["b 2", "a 1"], printed) is not None
