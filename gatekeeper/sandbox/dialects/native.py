"""The gateway's own wire format, as a provider would speak it that was built for it.

`POST /v1/generations` answers 200 `{"outputs": [{"url", "width", "height", "content_type"}]}`, with `b64_json` in
place of `url` when `provider_options.response_format` says so. Image operations only: a video is refused, because a
picture in its place would be a lie.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gatekeeper.core.sizes import Pixels
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
from gatekeeper.sandbox.picture import SIDE_PX_MAX, Format, PictureSpec, picture_spec
from gatekeeper.sandbox.sizing import pixels_asked, upscaled, within_bounds

UPSCALE = "image.upscale"

OPERATIONS = ("image.generate", "image.edit", "image.personalise", "image.style_reference", UPSCALE)

SCALE_MAX = 16
"""The largest factor any upscaler in the catalog sells."""


@dataclass(frozen=True, slots=True)
class _Order:
    spec: PictureSpec
    outputs: int
    inline: bool


async def generate(call: Call) -> Answer:
    """Make the images asked for, by URL or inline."""
    order = _read(json_object(call.body))
    if call.behaviour.error_event:
        raise ProviderError(400, "error_event needs a stream, and this dialect has none.", code="bad_behaviour")
    made = call.behaviour.made(order.outputs)
    specs = [replace(order.spec, number=number, of=order.outputs) for number in range(1, made + 1)]
    outputs = [await _output(call, spec, order.inline) for spec in specs]
    call.record.generated(order.spec.model, made)
    return json_answer({"outputs": outputs})


def say_error(error: ProviderError) -> Answer:
    """RFC 9457 problem details, with the fields that programs look at."""
    problem = {
        "type": "about:blank",
        "title": "The sandbox refused or failed this request",
        "status": error.status,
        "detail": error.message,
        "code": error.code or f"http_{error.status}",
        "param": error.param,
    }
    answer = json_answer(problem, error.status, retry_headers(error.status))
    return replace(answer, content_type="application/problem+json")


async def _output(call: Call, spec: PictureSpec, inline: bool) -> dict[str, Any]:
    facts = {"width": spec.width, "height": spec.height, "content_type": spec.format.content_type}
    if inline:
        return {"b64_json": base64.b64encode(await call.studio.picture(spec)).decode(), **facts}
    # Drawn when it is fetched: a URL that nobody opens costs nothing.
    return {"url": call.file_url(spec), **facts}


def _read(fields: Mapping[str, Any]) -> _Order:
    operation = text_field(fields, "operation", "image.generate")
    if operation not in OPERATIONS:
        message = f"operation {operation[:40]!r} is not one the sandbox does: {', '.join(OPERATIONS)}."
        raise ProviderError(400, message, code="operation_not_supported", param="operation")
    prompt = text_field(fields, "prompt", "upscaled" if operation == UPSCALE else None)
    pixels = _upscale_pixels(fields) if operation == UPSCALE else _pixels(fields)
    options = _mapping(fields, "provider_options")
    format_ = _format(text_field(options, "output_format", "png"))
    return _Order(
        spec=picture_spec(prompt, text_field(fields, "model"), pixels.width, pixels.height, format_),
        outputs=whole_field(fields, "outputs", default=1, lowest=1, highest=OUTPUTS_MAX),
        inline=options.get("response_format") == "b64_json",
    )


def _pixels(fields: Mapping[str, Any]) -> Pixels:
    size = fields.get("size")
    if isinstance(size, dict):
        return within_bounds(_sides(size, "size"), "size")
    texts = (text_field(fields, name, "auto") for name in ("size", "resolution", "aspect_ratio"))
    return pixels_asked(*texts)


def _upscale_pixels(fields: Mapping[str, Any]) -> Pixels:
    given = _sides(_mapping(fields, "input"), "input")
    return upscaled(given, _scale(fields.get("scale")))


def _scale(value: Any) -> float:
    """A factor as a number or as `2x`."""
    try:
        scale = float(value.lower().removesuffix("x") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        scale = 0.0
    if isinstance(value, bool) or not 1 <= scale <= SCALE_MAX:
        raise ProviderError(400, f"scale must be 1 to {SCALE_MAX}.", code="invalid_scale", param="scale")
    return scale


def _sides(value: Mapping[str, Any], field: str) -> Pixels:
    bounds = {"default": 0, "lowest": 1, "highest": SIDE_PX_MAX}
    width, height = (whole_field(value, name, **bounds) for name in ("width", "height"))
    if not width or not height:
        raise ProviderError(400, f"{field} needs width and height.", code="missing_required_parameter", param=field)
    return Pixels(width, height)


def _mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    if value is not None and not isinstance(value, dict):
        raise ProviderError(400, f"{name} must be an object.", code="invalid_type", param=name)
    return value or {}


def _format(name: str) -> Format:
    if name not in list(Format):
        message = f"output_format {name[:20]!r} is not one of {', '.join(Format)}."
        raise ProviderError(400, message, code="invalid_value", param="provider_options.output_format")
    return Format(name)


DIALECT = Dialect(
    name="native",
    routes=(Route("POST", "/v1/generations", generate),),
    say_error=say_error,
    at_root=True,
)
