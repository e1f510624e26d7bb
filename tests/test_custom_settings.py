"""A described format, and every mistake that can be made in describing one."""

from pathlib import Path

import pytest

from gatekeeper.providers import provider_problems
from gatekeeper.settings import load_settings
from gatekeeper.yamlfile import ConfigError

HEAD = """\
providers:
  render:
    dialect: custom
    base_url: http://render.internal
    custom:
"""
ROUTES = "      routes: [{path: POST /render, operation: image.generate}]\n"
FIELDS = "      fields: {model: /model}\n"
ANSWER = "      answer: {outputs: /images}\n"
JOB = "      answer: {outputs: /images, job_id: /id, status: /state, states: {done: [ok], failed: [bad]}}\n"


def told(tmp_path: Path, text: str) -> list[tuple[int, str, str]]:
    """Line, place and words of every mistake."""
    path = tmp_path / "gatekeeper.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings(path)
    return [(each.line, each.where.removeprefix("providers.render"), each.what) for each in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "line", "where", "what"),
    [
        ("      routes: []\n" + FIELDS + ANSWER, 6, ".custom.routes", "is empty"),
        (ROUTES.replace("POST", "FETCH") + FIELDS + ANSWER, 6, ".custom.routes[0]", "'FETCH /render' is no route"),
        (ROUTES.replace("POST", "GET") + FIELDS + ANSWER, 6, ".custom.routes[0].path", "'GET /render' makes nothing"),
        (ROUTES.replace("image.generate", "image.make") + FIELDS + ANSWER, 6, ".custom.routes[0].operation",
         "`image.make` is not known here"),
        (ROUTES + FIELDS.replace("/model", "model") + ANSWER, 7, ".custom.fields.model", "'model' is no JSON Pointer"),
        (ROUTES + FIELDS.replace("model:", "modle:") + ANSWER, 7, ".custom.fields", "unknown key `modle`"),
        (ROUTES + "      fields: {width: /w}\n" + ANSWER, 7, ".custom.fields.width", "one side says nothing"),
        (ROUTES + "      fields: {model: /a, size: /a}\n" + ANSWER, 7, ".custom.fields.model", "is the place of two"),
        (ROUTES + FIELDS + ANSWER.replace("}", ", status: /s}"), 8, ".custom.answer.status", "nothing without states"),
        (ROUTES + FIELDS + JOB.replace("[bad]", "[ok]"), 8, ".custom.answer.states", "'ok' stands twice"),
        (ROUTES + FIELDS + ANSWER + "      poll: {path: 'GET /j/{job}'}\n", 8, ".custom.answer", "a job needs job_id"),
        (ROUTES + FIELDS + JOB + "      poll: {path: GET /jobs}\n", 9, ".custom.poll.path", "names no job"),
        (ROUTES + FIELDS + JOB + "      cancel: {path: 'DELETE /jobs/{job}'}\n", 9, ".custom.cancel", "without poll"),
        (ROUTES + FIELDS + ANSWER + "      links: [/a.b]\n", 9, ".custom.links[0]", "cannot be the place of a link"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, text: str, line: int, where: str, what: str) -> None:
    """Each has its line, its place and its words."""
    found = told(tmp_path, HEAD + text)

    assert (line, where) == found[0][:2]
    assert what in found[0][2]


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """One in each part."""
    text = (ROUTES.replace("POST /", "POST "), FIELDS.replace("/model", "model"), ANSWER.replace("/images", "images"))

    assert [6, 7, 8] == [line for line, *_ in told(tmp_path, HEAD + "".join(text))]


def test_a_custom_dialect_without_its_description(tmp_path: Path) -> None:
    """It is said where there is an example of one."""
    text = HEAD.replace("    custom:\n", "")

    assert [(2, "", "the dialect custom is described in `custom`")] == told(tmp_path, text)


def test_a_description_of_another_dialect(tmp_path: Path) -> None:
    """A format that is known is not described."""
    path = tmp_path / "gatekeeper.yaml"
    path.write_text(HEAD.replace("dialect: custom", "dialect: openai") + ROUTES + FIELDS + ANSWER)

    (problem,) = provider_problems(load_settings(path))
    assert (5, "openai describes itself") == (problem.line, problem.what)


def test_one_that_is_right(tmp_path: Path) -> None:
    """Nothing is said."""
    path = tmp_path / "gatekeeper.yaml"
    path.write_text(HEAD + ROUTES + FIELDS + JOB + "      poll: {path: 'GET /jobs/{job}'}\n")

    assert [] == provider_problems(load_settings(path))
