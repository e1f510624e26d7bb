"""Freepik's API for Magnific's upscalers: tasks, asked for at the path that made them.

The model is the path's own name for it. The precise upscalers take a factor as a number, the creative one as `2x`;
both are read in either spelling. Answers come in two documented shapes, within `data` and without; both are read.
Facts: docs.freepik.com and the models of ComfyUI's nodes; there is no official SDK.
"""

from collections.abc import Mapping, Sequence

import orjson

from gatekeeper.core.outcome import Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.dialects.answers import Answer, filled_text, read_answer, read_job_id, read_list, read_object
from gatekeeper.dialects.base import (
    NO_HEADERS,
    Ask,
    BillingRule,
    CredentialPlace,
    JobLink,
    OutcomeReader,
    Rendered,
    Route,
    RouteKind,
    Traits,
    Webhook,
)
from gatekeeper.dialects.facts import explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fields import read_only_json
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.picturesize import encoded_pixels
from gatekeeper.dialects.routes import RouteTable, Row, job_in_path, row

MODELS = ("image-upscaler-precision-v2", "image-upscaler")
"""Each is a path of its own, and its upstream id in the catalog."""


def _rows(model: str) -> tuple[Row, Row]:
    path = f"/v1/ai/{model}"
    return (
        row("POST", path, RouteKind.GENERATION, model, Operation.IMAGE_UPSCALE),
        row("GET", f"{path}/{{job}}", RouteKind.POLL, f"{model}.task"),
    )


ROUTES = RouteTable(*(line for model in MODELS for line in _rows(model)))

_UNSAID = "Freepik does not say; UNVERIFIED, taken as the usual rule that a task without a result is not charged"


def read_event(body: bytes) -> tuple[str | None, Outcome]:
    """A call-back: what a poll would give, without `data` around it. Never raises."""
    answer = read_answer(body)
    if answer is None:
        return None, Unknown("the event is no JSON object")
    return read_job_id(_task(answer).get("task_id")), _read_task(answer)


TRAITS = Traits(
    title="Freepik (Magnific upscalers)",
    address="https://api.freepik.com",
    credential=CredentialPlace("header", "x-freepik-api-key"),
    pointed="plain HTTP: `POST http://HOST:8080/NAME/v1/ai/image-upscaler-precision-v2`, "
    "the key in `x-freepik-api-key: gk_...`",
    webhook=Webhook("json", "webhook_url", "none", read_event),
    billing=(
        BillingRule("failed", "nothing", _UNSAID),
        BillingRule("moderated", "nothing", _UNSAID),
    ),
    reads=("scale_factor", "image"),
    settles_from="the addresses in `generated` of the completed task",
    sdk="no official one: status 402, the sentence in `message`",
    corners=(
        "text-to-image, Mystic, video, the first precise upscaler and the other tools are not open",
        "an image that is an address, or a JPEG in a body of more than 64 KiB, has no known size: it has a price only "
        "where that does not depend on the size",
        "lists of tasks are not open: they show other teams' work",
    ),
)

_FIELD_NAMES = {"scale": "scale_factor", "input": "image"}
"""Our names for what this format calls otherwise."""

_RUNNING = frozenset({"CREATED", "IN_PROGRESS"})


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads JSON. Raises `Rejected`: malformed_request, or missing_parameter for a task without an image."""
    fields = read_only_json(content_type, body)
    image = fields.beginning("image")
    request = GenerationRequest(
        model=route.name,
        operation=route.operation,
        scale=fields.quantity("scale_factor", "x"),
        input_pixels=encoded_pixels(image or ""),
    )
    if not fields.given("image"):
        fields.missing("image", "an image to upscale")
    fields.finish()
    return request


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for a task, which every answer is."""
    return JsonAnswer(status, _read_task, about_job=route.kind is RouteKind.POLL)


def _task(answer: Answer) -> Answer:
    """The task itself, in either shape."""
    return read_object(answer.get("data")) or answer


def _read_task(answer: Answer) -> Outcome:
    task = _task(answer)
    job_id = read_job_id(task.get("task_id"))
    status = task.get("status") or task.get("task_status")
    if status == "COMPLETED":
        made = sum(_is_file(entry) for entry in read_list(task.get("generated")))
        return Made(made, (None,) * made) if made else Failed("no image in the answer")
    if status == "FAILED":
        return Failed("failed")
    if isinstance(status, str) and status in _RUNNING and job_id is not None:
        return Pending(job_id)
    return Unknown("the answer does not say where the task stands")


def _is_file(entry: object) -> bool:
    """An address, as such or in an object."""
    return filled_text(entry) or filled_text(read_object(entry).get("url"))


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    """Where it was submitted, with its id behind."""
    route = find_route("GET", f"{link.submit_path}/{link.job_id}")
    return None if route is None else Ask("GET", route)


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """`message` is a sentence, and the facts stand beside it."""
    body = {"message": explain(rejection, _FIELD_NAMES)} | rejection_facts(rejection, request_id)
    return Rendered(rejection.status, rejection_headers(rejection, "application/json"), orjson.dumps(body))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """None: there are no streams."""
    return None
