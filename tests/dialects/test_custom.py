"""A format that config describes: what is read of requests and answers, wherever it stands in them."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Code, Rejected, Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.base import Ask, JobLink, Route, RouteKind
from gatekeeper.dialects.custom import CustomAnswer, CustomDialect, CustomPlan, CustomRoute
from gatekeeper.dialects.pointers import look_up, read_pointer
from tests.cases import each_case

FIELDS = {
    "model": "/model", "prompt": "/input/text", "resolution": "/settings/res", "aspect_ratio": "/settings/ratio",
    "width": "/settings/w", "height": "/settings/h", "outputs": "/jobs/0/count", "duration_s": "/jobs/0/time~1s",
    "audio": "/sound", "scale": "/factor", "reference_images": "/pictures", "input_video": "/video",
}  # fmt: skip
ANSWER = CustomAnswer(
    outputs=("result", "images"), width=("w",), height=("h",), file=("id",), job_id=("id",), status=("state",),
    states={"ok": "done", "3": "done", "bad": "failed", "busy": "running"}, error_code=("error", "code"),
    duration_s=("seconds",), resolution=("tier",), audio=("sound",), tokens=("tokens",), cost=("usd",),
)  # fmt: skip
PLAN = CustomPlan(
    routes=(
        CustomRoute(RouteKind.GENERATION, "POST", "/make", operation=Operation.VIDEO_GENERATE),
        CustomRoute(RouteKind.GENERATION, "POST", "/models/{model}", ("mode",), Operation.IMAGE_GENERATE),
        CustomRoute(RouteKind.POLL, "GET", "/jobs/{job}"),
        CustomRoute(RouteKind.CANCEL, "POST", "/jobs/{job}/stop"),
    ),
    fields={name: read_pointer(pointer) for name, pointer in FIELDS.items()},
    answer=ANSWER,
    error_message=("problem", "text"),
    links=("urls.get",),
)
DIALECT = CustomDialect(PLAN)


def route(method: str = "POST", path: str = "/make") -> Route:
    """A route that is there."""
    found = DIALECT.find_route(method, path)
    assert found is not None
    return found


def read(body: Any, path: str = "/make") -> GenerationRequest:
    """What a JSON body asks."""
    return DIALECT.read_request(route(path=path), "application/json", [json.dumps(body).encode()])


def refused(body: Any, path: str = "/make") -> str:
    """The words with which a body is refused."""
    with pytest.raises(Rejected) as raised:
        read(body, path)
    return raised.value.rejection.detail


def outcome(answer: Any, *, method: str = "POST", path: str = "/make", status: int = 200, **plan: Any) -> Outcome:
    """What an answer tells."""
    dialect = CustomDialect(replace(PLAN, **plan))
    reader = dialect.outcome_reader(route(method, path), status, "application/json")
    reader.feed(json.dumps(answer).encode())
    return reader.finish(complete=True)


def test_fields_wherever_they_stand() -> None:
    """In objects of objects, in a list of objects, under names with a slash in them."""
    body = {
        "model": "a", "input": {"text": "a cat"}, "settings": {"res": "1080p", "ratio": "16:9"},
        "jobs": [{"count": 2, "time/s": "8s"}], "sound": True, "factor": 2, "pictures": ["x", "y"], "video": "z",
        "other": {"res": 1},
    }  # fmt: skip

    assert GenerationRequest(
        model="a", operation=Operation.VIDEO_GENERATE, prompt_length=5, resolution="1080p", aspect_ratio="16:9",
        outputs=2, duration_s=Fraction(8), audio=True, scale=Fraction(2), reference_images=2, input_video=True,
    ) == read(body)  # fmt: skip


def test_what_is_not_there_was_not_said() -> None:
    """Neither a missing field nor a missing object around it is a mistake."""
    assert GenerationRequest(operation=Operation.VIDEO_GENERATE) == read({"settings": None, "jobs": []})


def test_a_width_and_a_height_are_a_size() -> None:
    """In pixels."""
    assert "640*480" == read({"settings": {"w": 640, "h": 480}}).size


@each_case(
    ("body", "words"),
    [
        ({"settings": "4K"}, "settings must be an object"),
        ({"settings": {"res": 4}}, "settings.res must be a text"),
        ({"settings": {"Res": "4K", "res": "1K"}}, "settings.Res may be taken for"),
        ({"jobs": [1]}, "jobs must be a list of objects"),
        ({"jobs": [{"count": "2"}]}, "jobs[0].count must be a whole number"),
        ({"jobs": [{"count": 2, "Count": 9}]}, "jobs[0].Count may be taken for"),
        ({"settings": {"w": 640}}, "height is missing"),
        ({"settings": {"w": 0, "h": 1}}, "settings.w must be a number of pixels"),
        ({"pictures": [], "Pictures": ["x"]}, "Pictures may be taken for pictures"),
        ([], "object"),
    ],
)
def test_what_could_be_read_in_two_ways(body: Any, words: str) -> None:
    """It is refused with the place of the field."""
    assert words in refused(body)


def test_a_model_in_the_path() -> None:
    """It is the model, and the body may not name another."""
    assert "m-1" == read({}, "/models/m-1").model
    assert "model must be left out" in refused({"model": "m-2"}, "/models/m-1")


def test_a_form_is_not_read() -> None:
    """Only JSON can be described."""
    with pytest.raises(Rejected, match="application/json"):
        DIALECT.read_request(route(), "multipart/form-data; boundary=x", [b""])


def test_what_was_made() -> None:
    """Everything that a charge may depend on."""
    images = [{"w": 640, "h": 480, "id": "f-1"}, {"w": "x"}, None]
    answer = {
        "state": "ok", "id": 7, "result": {"images": images}, "seconds": 5.5, "tier": "720p", "sound": False,
        "tokens": 12, "usd": 0.1,
    }  # fmt: skip

    assert Made(
        2, (Pixels(640, 480), None), duration_s=Fraction(11, 2), resolution="720P", audio=False, tokens=12,
        cost=Cost(Fraction(1, 10), "usd"), job_id="7", files=("f-1",),
    ) == outcome(answer)  # fmt: skip


@each_case(
    ("answer", "expected"),
    [
        ({"state": "busy", "id": "j"}, Pending("j")),
        ({"id": "j"}, Pending("j")),
        ({"state": "busy"}, Unknown("it runs, and has no id to ask for it by")),
        ({"state": "bad", "id": "j"}, Failed("bad")),
        ({"state": "bad", "error": {"code": "nsfw"}, "usd": 2}, Failed("nsfw", cost=Cost(Fraction(2), "usd"))),
        ({"state": "bad", "error": {"code": "a whole sentence"}}, Failed("bad")),
        ({"state": "ok"}, Failed("no output in the answer")),
        ({"state": 3, "result": {"images": "http://x/1.png"}}, Made(1, (None,))),
        ({"state": "odd"}, Unknown("the word for where the job stands is not one that config names")),
        ({"result": {"images": []}}, Failed("no output in the answer")),
        ({}, Unknown("the answer has no outputs")),
    ],
)
def test_where_it_stands(answer: Any, expected: Outcome) -> None:
    """Made, failed, a job, or nobody knows."""
    assert expected == outcome(answer)


def test_a_poll() -> None:
    """It need not repeat the job's id; an error is no end, but 404 says that there is no such job."""
    poll = {"method": "GET", "path": "/jobs/j:1"}

    assert Pending("j:1") == outcome({"state": "busy"}, **poll)
    assert Unknown("503") == outcome({}, status=503, **poll)
    assert Unknown("404", gone=True) == outcome({}, status=404, **poll)


def test_failures_that_are_charged() -> None:
    """Where the description says so."""
    assert Failed("bad", billable=True) == outcome({"state": "bad"}, failed_is_charged=True)
    assert ["in full"] == [rule.charged for rule in CustomDialect(replace(PLAN, failed_is_charged=True)).TRAITS.billing]


def test_a_backend_without_states() -> None:
    """What came is all that there is to know."""
    answer = CustomAnswer(outputs=("images",))

    reads = CustomDialect(replace(PLAN, answer=answer))
    outcomes = []
    for status, images in ((200, [{}, {"u": 1}]), (500, [1])):
        reader = reads.outcome_reader(route(), status, "application/json")
        reader.feed(json.dumps({"images": images}).encode())
        outcomes.append(reader.finish(complete=True))

    assert [Made(1, (None,)), Failed("500")] == outcomes


def test_an_output_without_its_content_is_not_there() -> None:
    """An entry for a picture that was not made counts for nothing."""
    answer = replace(ANSWER, content=("url",))
    images = [{"url": "http://x/1.png", "w": 8, "h": 8}, {"url": None, "w": 8, "h": 8}, {}, "x"]
    reader = CustomDialect(replace(PLAN, answer=answer)).outcome_reader(route(), 200, "application/json")
    reader.feed(json.dumps({"state": "ok", "result": {"images": images}}).encode())

    assert Made(1, (Pixels(8, 8),)) == reader.finish(complete=True)


@each_case("nothing", [None, False, "", []])
def test_nothing_that_goes_in_counts_for_nothing(nothing: Any) -> None:
    """A field that says that there is none is as if it were not there."""
    asked = read({"pictures": nothing, "video": nothing})

    assert (None, False) == (asked.reference_images, asked.input_video)


def test_how_a_job_is_asked_for() -> None:
    """As its caller would."""
    asked = DIALECT.ask(JobLink("j:1", "/make"))

    assert Ask("GET", route("GET", "/jobs/j:1")) == asked
    assert asked is not None
    assert "/jobs/j:1" == asked.route.upstream_path
    assert CustomDialect(replace(PLAN, routes=PLAN.routes[:1])).ask(JobLink("j", "/make")) is None


def test_a_refusal_stands_where_the_client_looks() -> None:
    """The sentence at its place, the facts beside it."""
    rendered = DIALECT.render_rejection(Rejection(Code.MODEL_NOT_FOUND, "No such model."), "r-1")
    problem = json.loads(rendered.body)["problem"]

    assert ("No such model.", "model_not_found", "r-1") == (problem["text"], problem["code"], problem["request_id"])
    assert ("Gatekeeper-Rejection", "model_not_found") in rendered.headers


@each_case(
    ("text", "found"),
    [("/a", 1), ("/b/c~1d", 2), ("/b/~01", 3), ("/l/1/x", 4), ("/l/9", None), ("/l/x", None), ("/a/b", None), ("/", 5)],
)
def test_pointers(text: str, found: object) -> None:
    """As RFC 6901 has them."""
    document = {"a": 1, "b": {"c/d": 2, "~1": 3}, "l": [0, {"x": 4}], "": 5}

    assert found == look_up(document, read_pointer(text))


@each_case("text", ["", "a", "/~2", "/a~"])
def test_no_pointers(text: str) -> None:
    """What is none is told, with what would be."""
    with pytest.raises(ValueError, match="JSON Pointer"):
        read_pointer(text)


NAMES = st.sampled_from(
    ["model", "settings", "res", "w", "h", "jobs", "count", "state", "id", "result", "images", "error"]
)
WORDS = st.text(max_size=5) | st.sampled_from(["ok", "bad", "busy"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=6).map(lambda document: json.dumps(document).encode()) | st.binary()


@given(DOCUMENTS, st.text())
def test_any_body_is_a_request_or_a_refusal(body: bytes, content_type: str) -> None:
    """Any bytes."""
    for kind in ("application/json", content_type):
        rejection = None
        try:
            DIALECT.read_request(route(), kind, [body])
        except Rejected as refusal:
            rejection = refusal.rejection

        assert rejection is None or json.loads(DIALECT.render_rejection(rejection, "r").body)


@given(DOCUMENTS, st.sampled_from([200, 202, 404, 500]), st.booleans())
def test_any_answer_is_an_outcome(body: bytes, status: int, complete: bool) -> None:
    """Any bytes."""
    for asked in (route(), route("GET", "/jobs/j")):
        reader = DIALECT.outcome_reader(asked, status, "")
        reader.feed(body)
        assert isinstance(reader.finish(complete=complete), Made | Failed | Pending | Unknown)
