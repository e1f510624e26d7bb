"""OpenAI's images API: generations (JSON, or a stream of events), edits (a form with files), and the list of models.

Its videos are in `openai_videos`.

Shapes as the official Python SDK 3.x reads them. Any model name is accepted. The token counts under `usage` are
made up: plausible in size, the same for the same request, and worth nothing as a bill. GIF, SVG and transparent
backgrounds are not made; the first two are refused, the last is answered with `"background": "opaque"`.
"""

import asyncio
import base64
import math
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from PIL import Image

from gatekeeper.core.sizes import Auto, Pixels, read_size
from gatekeeper.sandbox.call import (
    OUTPUTS_MAX,
    Answer,
    Call,
    Dialect,
    ProviderError,
    Route,
    json_answer,
    json_object,
    retry_headers,
    text_field,
    whole_field,
)
from gatekeeper.sandbox.dialects import openai_videos
from gatekeeper.sandbox.forms import Part, read_form
from gatekeeper.sandbox.picture import Format, PictureSpec, UnreadableImageError, open_image, picture_spec
from gatekeeper.sandbox.sizing import within_bounds

MODEL_DEFAULT = "sandbox-image"
MODELS_LISTED = (MODEL_DEFAULT, "gpt-image-1.5", "gpt-image-2")

SIZE_DEFAULT = Pixels(1024, 1024)
"""What `auto` becomes."""

QUALITY_FACTORS = {"low": 0.25, "medium": 1.0, "high": 4.0, "xhigh": 6.0, "max": 8.0}
"""Made-up output tokens of a picture, as a multiple of those at medium."""

QUALITY_OLD_NAMES = {"standard": "medium", "hd": "high"}

OUTPUT_TOKENS_PER_MEGAPIXEL = 1_000
INPUT_TOKENS_PER_IMAGE = 320
CHARS_PER_TOKEN = 4
"""Round figures of the right order."""

PARTIAL_IMAGES_MAX = 3
INPUT_IMAGES_MAX = 16
"""Both as the API documents them."""

PREVIEW_BLOCKS = (6, 14, 36)
"""How many cells the short side of a preview has: each one sharper than the one before."""

ERROR_TYPES = {
    401: "authentication_error",
    402: "insufficient_credits",
    403: "permission_error",
    429: "rate_limit_error",
}


@dataclass(frozen=True, slots=True)
class _Order:
    """What was asked for. `event` names the stream's events; `inputs` counts the images that came with an edit."""

    spec: PictureSpec
    n: int
    quality: str
    stream: bool
    partial_images: int
    by_url: bool
    event: str
    inputs: int = 0
    backdrop: Image.Image | None = None

    def picture(self, number: int, blocks: int = 0) -> PictureSpec:
        return replace(self.spec, number=number, of=self.n, blocks=blocks)

    @property
    def looks(self) -> dict[str, str]:
        size = f"{self.spec.width}x{self.spec.height}"
        return {"background": "opaque", "output_format": self.spec.format, "quality": self.quality, "size": size}

    def usage(self, images: int) -> dict[str, Any]:
        per_image = self.spec.width * self.spec.height / 1e6 * OUTPUT_TOKENS_PER_MEGAPIXEL
        output = images * math.ceil(per_image * QUALITY_FACTORS[self.quality])
        text, image = math.ceil(len(self.spec.prompt) / CHARS_PER_TOKEN), self.inputs * INPUT_TOKENS_PER_IMAGE
        return {
            "input_tokens": text + image,
            "output_tokens": output,
            "total_tokens": text + image + output,
            "input_tokens_details": {"text_tokens": text, "image_tokens": image},
            "output_tokens_details": {"text_tokens": 0, "image_tokens": output},
        }


async def generate(call: Call) -> Answer:
    """Images from a prompt."""
    return await _fulfil(call, _read_order(json_object(call.body), "image_generation"))


async def edit(call: Call) -> Answer:
    """Images from a prompt and at least one image, which shows through the result."""
    content_type = call.headers.get("Content-Type", "")
    parts = await asyncio.to_thread(read_form, content_type, call.body)
    order = _read_order(_text_fields(parts), "image_edit")
    images = [part for part in parts if part.name in ("image", "image[]")]
    if not images or len(images) > INPUT_IMAGES_MAX:
        message = f"image: {len(images)} files were sent; send 1 to {INPUT_IMAGES_MAX}."
        raise ProviderError(400, message, code="missing_required_parameter", param="image")
    opened = [await _open(part) for part in images]
    for mask in (part for part in parts if part.name == "mask"):
        await _open(mask)
    return await _fulfil(call, replace(order, inputs=len(images), backdrop=opened[0]))


async def list_models(_call: Call) -> Answer:
    """Some names, for clients that ask. Others work as well."""
    return json_answer({"object": "list", "data": [_model(name) for name in MODELS_LISTED]})


async def show_model(call: Call) -> Answer:
    """Any name is a model here."""
    return json_answer(_model(call.path_values["model"]))


def say_error(error: ProviderError) -> Answer:
    """The `error` object from which the SDK takes code, type, param and message."""
    return json_answer(_error_body(error), error.status, retry_headers(error.status))


async def _fulfil(call: Call, order: _Order) -> Answer:
    if order.stream:
        return Answer(_events(call, order), content_type="text/event-stream; charset=utf-8")
    if call.behaviour.error_event:
        raise ProviderError(400, "error_event needs stream: true.", code="bad_behaviour", param="stream")
    made = call.behaviour.made(order.n)
    data = [await _image(call, order, number) for number in range(1, made + 1)]
    call.record.generated(order.spec.model, made)
    return json_answer({"created": int(call.now_s()), **order.looks, "data": data, "usage": order.usage(made)})


async def _image(call: Call, order: _Order, number: int) -> dict[str, str]:
    if order.by_url:
        return {"url": f"{call.base_url}/files/{call.studio.keep_file(order.picture(number))}"}
    return {"b64_json": await _base64(call, order, number)}


async def _base64(call: Call, order: _Order, number: int, blocks: int = 0) -> str:
    return base64.b64encode(await call.studio.picture(order.picture(number, blocks), order.backdrop)).decode()


async def _events(call: Call, order: _Order) -> AsyncIterator[bytes]:
    """For each image its previews, then the image. With `error_event` the last image is an error instead."""
    made = call.behaviour.made(order.n)
    finished = max(0, made - 1) if call.behaviour.error_event else made
    call.record.generated(order.spec.model, finished)
    for number in range(1, made + 1):
        for index in range(order.partial_images):
            blocks = PREVIEW_BLOCKS[index + len(PREVIEW_BLOCKS) - order.partial_images]
            yield _event(call, order, "partial_image", {
                "b64_json": await _base64(call, order, number, blocks), "partial_image_index": index,
            })  # fmt: skip
        if number <= finished:
            image = await _base64(call, order, number)
            yield _event(call, order, "completed", {"b64_json": image, "usage": order.usage(1)})
    if call.behaviour.error_event:
        failed = ProviderError(500, "The sandbox was asked to fail in mid-stream.", code="server_error")
        yield _frame("error", {"type": "error", **_error_body(failed)})


def _event(call: Call, order: _Order, kind: str, content: Mapping[str, Any]) -> bytes:
    name = f"{order.event}.{kind}"
    return _frame(name, {"type": name, "created_at": int(call.now_s()), **order.looks, **content})


def _frame(name: str, value: Mapping[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"


def _read_order(fields: Mapping[str, Any], event: str) -> _Order:
    pixels = _pixels(text_field(fields, "size", "auto"))
    prompt, model = text_field(fields, "prompt"), text_field(fields, "model", MODEL_DEFAULT)
    format_ = _one_of(fields, "output_format", tuple(Format), "png")
    return _Order(
        spec=picture_spec(prompt, model, pixels.width, pixels.height, Format(format_)),
        n=whole_field(fields, "n", default=1, lowest=1, highest=OUTPUTS_MAX),
        quality=_quality(fields, pixels),
        stream=_flag(fields, "stream"),
        partial_images=whole_field(fields, "partial_images", default=0, lowest=0, highest=PARTIAL_IMAGES_MAX),
        by_url=event == "image_generation"
        and _one_of(fields, "response_format", ("url", "b64_json"), "b64_json") == "url",
        event=event,
    )


def _pixels(size: str) -> Pixels:
    match read_size(size):
        case Auto():
            return SIZE_DEFAULT
        case Pixels() as pixels:
            return within_bounds(pixels, "size")
        case _:
            message = f"size {size[:40]!r} is neither auto nor WIDTHxHEIGHT."
            raise ProviderError(400, message, code="invalid_value", param="size")


def _quality(fields: Mapping[str, Any], pixels: Pixels) -> str:
    """`auto` becomes medium up to a square of 1024 and high above: known to tests, not known to a gateway."""
    asked = _one_of(fields, "quality", (*QUALITY_FACTORS, *QUALITY_OLD_NAMES, "auto"), "auto")
    if asked == "auto":
        return "medium" if pixels.area <= SIZE_DEFAULT.area else "high"
    return QUALITY_OLD_NAMES.get(asked, asked)


def _one_of(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = text_field(fields, name, default)
    if value not in allowed:
        message = f"{name} {value[:40]!r} is not one of {', '.join(allowed)}."
        raise ProviderError(400, message, code="invalid_value", param=name)
    return value


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise ProviderError(400, f"{name} must be true or false.", code="invalid_type", param=name)
    return bool(value)


def _text_fields(parts: list[Part]) -> dict[str, Any]:
    """A form's text parts, with those that JSON would type turned into their types."""
    fields: dict[str, Any] = {p.name: p.data.decode("utf-8", "replace") for p in parts if p.file_name is None}
    for name in ("n", "partial_images"):
        if fields.get(name, "").isascii() and fields.get(name, "").isdigit():
            fields[name] = int(fields[name][:20])
    if fields.get("stream") in ("true", "false"):
        fields["stream"] = fields["stream"] == "true"
    return fields


async def _open(part: Part) -> Image.Image:
    try:
        return await asyncio.to_thread(open_image, bytes(part.data))
    except UnreadableImageError as error:
        raise ProviderError(400, f"{part.name} {error}.", code="invalid_image_file", param=part.name) from error


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "gatekeeper-sandbox"}


def _error_body(error: ProviderError) -> dict[str, Any]:
    kind = ERROR_TYPES.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error")
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": error.code}}


DIALECT = Dialect(
    name="openai",
    routes=(
        Route("POST", "/images/generations", generate),
        Route("POST", "/images/edits", edit),
        Route("POST", "/videos", openai_videos.create),
        Route("POST", "/videos/{video}/remix", openai_videos.remix),
        Route("GET", "/videos/{video}", openai_videos.retrieve, generates=False),
        Route("GET", "/videos/{video}/content", openai_videos.content, generates=False),
        Route("DELETE", "/videos/{video}", openai_videos.delete, generates=False),
        Route("GET", "/models", list_models, generates=False),
        Route("GET", "/models/{model}", show_model, generates=False),
    ),
    say_error=say_error,
    prefixes=("/v1", ""),
    at_root=True,
)
