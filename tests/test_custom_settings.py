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
FIELDS = "      fields: {model: /model, prompt: /prompt}\n"
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


@pytest.mark.parametrize("operation", ["image.generate", "image.edit", "video.generate"])
def test_no_place_for_a_prompt(tmp_path: Path, operation: str) -> None:
    """Every request of such a route would be refused for the prompt that is not there."""
    text = ROUTES.replace("image.generate", operation) + FIELDS.replace(", prompt: /prompt", "") + ANSWER

    what = f"{operation} needs a prompt, and no field is its place"
    assert [(7, ".custom.fields", what)] == told(tmp_path, HEAD + text)


def test_no_place_for_a_model(tmp_path: Path) -> None:
    """Every request of such a route would be refused for the model that it does not name."""
    upscale = "{path: 'POST /{model}', operation: image.upscale}"
    text = ROUTES.replace("}]", "}, " + upscale + "]") + FIELDS.replace("model: /model, ", "") + ANSWER

    what = "no request of this route could name a model"
    assert [(6, ".custom.routes[0].path", what)] == told(tmp_path, HEAD + text)


def test_a_model_in_every_path_and_in_a_field(tmp_path: Path) -> None:
    """The field could only be wrong."""
    text = ROUTES.replace("POST /render", "'POST /{model}'") + FIELDS + ANSWER

    what = "the model is in every route's path, and may not be in a body besides"
    assert [(7, ".custom.fields.model", what)] == told(tmp_path, HEAD + text)


@pytest.mark.parametrize(
    "text",
    [
        ROUTES + FIELDS.replace("model: /model, ", "") + ANSWER + "    default_model: nano-banana-2\n",
        ROUTES.replace("POST /render", "'POST /{model}'") + FIELDS.replace("model: /model, ", "") + ANSWER,
        ROUTES.replace("image.generate", "video.generate") + FIELDS.replace("prompt", "reference_images") + ANSWER,
        ROUTES.replace("image.generate", "image.upscale") + FIELDS.replace("prompt: /prompt", "scale: /by") + ANSWER,
    ],
)
def test_what_needs_no_field(tmp_path: Path, text: str) -> None:
    """A model of its own or in the path, a film made of a picture, and what takes no prompt."""
    path = tmp_path / "gatekeeper.yaml"
    path.write_text(HEAD + text)

    assert [] == provider_problems(load_settings(path))


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
