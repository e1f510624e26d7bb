"""Ideogram's API: forms in, pictures in the answer. The path names the model and what is done.

A picture that Ideogram's own check withholds comes as an entry without an address, and does not count as made. Facts:
developer.ideogram.ai and the models of ComfyUI's nodes; there is no official SDK.
"""

from collections.abc import Mapping, Sequence

import orjson

from gatekeeper.core.outcome import Failed, Made, Outcome, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import Answer, error_word, filled_text, read_list, read_object, stated_pixels
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
)
from gatekeeper.dialects.complaints import malformed
from gatekeeper.dialects.facts import explain, rejection_facts, rejection_headers
from gatekeeper.dialects.form import FormFields
from gatekeeper.dialects.jsonanswer import JsonAnswer
from gatekeeper.dialects.multipart import read_form
from gatekeeper.dialects.routes import RouteTable, job_in_path, row

MODEL = "ideogram-v3"
"""As the paths spell it, and as its upstream id in the catalog."""

ROUTES = RouteTable(
    row("POST", f"/v1/{MODEL}/generate", RouteKind.GENERATION, "generate", Operation.IMAGE_GENERATE),
    row("POST", f"/v1/{MODEL}/edit", RouteKind.GENERATION, "edit", Operation.IMAGE_EDIT),
    row("POST", f"/v1/{MODEL}/remix", RouteKind.GENERATION, "remix", Operation.IMAGE_EDIT),
    row("POST", f"/v1/{MODEL}/replace-background", RouteKind.GENERATION, "replace-background", Operation.IMAGE_EDIT),
)

_ERRORS_PAGE = "developer.ideogram.ai/ideogram-api/errors"

TRAITS = Traits(
    title="Ideogram",
    address="https://api.ideogram.ai",
    credential=CredentialPlace("header", "Api-Key"),
    pointed="plain HTTP: `POST http://HOST:8080/NAME/v1/ideogram-v3/generate`, the key in `Api-Key: gk_...`",
    billing=(
        BillingRule("failed", "nothing", f"{_ERRORS_PAGE}: a generation that fails is not billed"),
        BillingRule("moderated", "in full", f"{_ERRORS_PAGE}: billed, also when an image is withheld by the check"),
    ),
    reads=(
        "prompt",
        "aspect_ratio",
        "resolution",
        "num_images",
        "rendering_speed",
        "magic_prompt",
        "image",
        "character_reference_images",
        "style_reference_images",
    ),
    settles_from="the entries of `data` that have an address, and their `resolution`",
    sdk="no official one: status 402, the sentence in `error`",
    corners=(
        "version 4 and its siblings, which take other fields, are not open, nor are the addresses under /v2",
        "reframe, upscale, describe, transparent and layered pictures are not open: they take no prompt, or another "
        "price",
        "`webhook_url` and `async` are refused: the pictures then come later, and nothing tells the gateway of them",
        "pictures of a character (`character_reference_images`) cost more: they make the operation image.personalise, "
        "which a price list must have",
        "of several pictures only those that came are charged; if all were withheld, the request is charged in full, "
        "as Ideogram does",
    ),
)

_FIELD_NAMES = {"outputs": "num_images", "size": "resolution", "quality": "rendering_speed"}
"""Our names for what this format calls otherwise."""

_MAGIC = {"ON": True, "OFF": False, "AUTO": None}
"""`AUTO` is what happens without the field, too."""

_REFERENCES = ("character_reference_images", "style_reference_images")
_LATER = ("webhook_url", "async")


routes = ROUTES.routes
find_route = ROUTES.find


def read_request(route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
    """Reads a form. Raises `Rejected`: malformed_request, or missing_parameter for an edit without a picture."""
    if not content_type.lstrip().lower().startswith("multipart/form-data"):
        raise malformed("Content-Type must be multipart/form-data.")
    fields = read_form(content_type, body)
    request = GenerationRequest(
        model=MODEL,
        operation=Operation.IMAGE_PERSONALISE if _shows_character(fields) else route.operation,
        size=fields.text("resolution"),
        aspect_ratio=fields.text("aspect_ratio"),
        outputs=fields.whole("num_images"),
        quality=fields.text("rendering_speed"),
        enhance_prompt=_read_magic(fields),
        prompt_length=fields.text_length("prompt"),
        prompt_digest=fields.text_digest("prompt"),
        reference_images=sum(len(fields.file_sizes_bytes(name)) for name in _REFERENCES) or None,
    )
    if route.operation is Operation.IMAGE_EDIT and not any(fields.file_sizes_bytes("image")):
        fields.missing("image", "a picture to start from")
    for name in _LATER:
        if fields.text(name) is not None:
            fields.complaints.wrong(name, "given", "left out: pictures are waited for")
    fields.finish()
    return request


def _shows_character(fields: FormFields) -> bool:
    """Ideogram has prices of its own for pictures that show somebody again."""
    name = "character_reference_images"
    return any(fields.file_sizes_bytes(name)) or fields.text(name) is not None


def _read_magic(fields: FormFields) -> bool | None:
    magic = fields.text("magic_prompt")
    if magic is not None and magic not in _MAGIC:
        fields.complaints.wrong("magic_prompt", "another word", ", ".join(_MAGIC))
    return None if magic is None else _MAGIC.get(magic)


def outcome_reader(
    route: Route,
    status: int,
    content_type: str,
    headers: Mapping[str, str] = NO_HEADERS,
) -> OutcomeReader:
    """A reader for a list of pictures."""
    return JsonAnswer(status, _read_data)


def _read_data(answer: Answer) -> Outcome:
    data = answer.get("data")
    entries = [read_object(entry) for entry in read_list(data)]
    made = [entry for entry in entries if filled_text(entry.get("url"))]
    withheld = sum(entry.get("is_image_safe") is False for entry in entries if entry not in made)
    if made:
        note = f"{withheld} withheld as unsafe" if withheld else ""
        return Made(len(made), tuple(_pixels(entry) for entry in made), note=note)
    if withheld:
        return Failed("withheld as unsafe", billable=True)
    if answer.get("error"):
        return Failed(f"error in a success: {error_word(answer) or 'no code'}")
    return Failed("no image in the answer") if isinstance(data, list) else Unknown("the answer has no list of images")


def _pixels(entry: Answer) -> Pixels | None:
    return stated_pixels(entry.get("resolution"))


job_named = job_in_path


def ask(link: JobLink) -> Ask | None:
    return None


def render_rejection(rejection: Rejection, request_id: str) -> Rendered:
    """`error` is a sentence, and the facts stand beside it."""
    body = {"error": explain(rejection, _FIELD_NAMES)} | rejection_facts(rejection, request_id)
    return Rendered(rejection.status, rejection_headers(rejection, "application/json"), orjson.dumps(body))


def render_stream_error(rejection: Rejection, request_id: str) -> bytes | None:
    """None: there are no streams."""
    return None
