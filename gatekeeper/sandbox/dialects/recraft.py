"""Recraft: generations as JSON, edits as JSON or as a form, answered at once with what they cost.

The costs are in API units and made up, of the right order. A vector model's picture is a PNG all the same.
"""

import asyncio
import base64
from dataclasses import replace
from typing import Any

from gatekeeper.sandbox.call import (
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
from gatekeeper.sandbox.forms import read_form
from gatekeeper.sandbox.picture import PictureSpec, picture_spec
from gatekeeper.sandbox.sizing import pixels_asked

MODEL_DEFAULT = "recraftv4_1"
OUTPUTS_MAX = 6
UNITS = {"recraftv4": 40, "recraftv4_pro": 250}
UNITS_OTHERWISE = 35


async def generate(call: Call) -> Answer:
    """Pictures from a prompt."""
    return await _fulfil(call, json_object(call.body))


async def edit(call: Call) -> Answer:
    """Pictures from a picture and a prompt; the body in either form."""
    content_type = call.headers.get("Content-Type", "")
    if content_type.startswith("application/json"):
        return await _fulfil(call, json_object(call.body))
    parts = await asyncio.to_thread(read_form, content_type, call.body)
    fields: dict[str, Any] = {p.name: p.data.decode("utf-8", "replace") for p in parts if p.file_name is None}
    number = fields.get("n", "")
    return await _fulfil(call, fields | ({"n": int(number[:9])} if number.isascii() and number.isdigit() else {}))


async def _fulfil(call: Call, fields: dict[str, Any]) -> Answer:
    model = text_field(fields, "model", MODEL_DEFAULT)
    outputs = whole_field(fields, "n", default=1, lowest=1, highest=OUTPUTS_MAX)
    pixels = pixels_asked(text_field(fields, "size", "1:1"), "2K" if model.endswith("_pro") else "1K", None)
    spec = picture_spec(text_field(fields, "prompt"), model, pixels.width, pixels.height)
    made = call.behaviour.made(outputs)
    inline = fields.get("response_format") == "b64_json"
    data = [await _entry(call, replace(spec, number=n, of=outputs), inline) for n in range(1, made + 1)]
    call.record.generated(model, made)
    units = UNITS.get(model, UNITS_OTHERWISE) * made
    return json_answer({"created": int(call.now_s()), "credits": units, "data": data})


async def _entry(call: Call, spec: PictureSpec, inline: bool) -> dict[str, Any]:
    image_id = f"{spec.number:08x}-0000-4000-8000-000000000000"
    if inline:
        return {"image_id": image_id, "b64_json": base64.b64encode(await call.studio.picture(spec)).decode()}
    return {"image_id": image_id, "url": call.file_url(spec)}


def say_error(error: ProviderError) -> Answer:
    """A code and a sentence."""
    code = error.code or "internal_error"
    return json_answer({"code": code, "message": error.message}, error.status, retry_headers(error.status))


EDITS = ("imageToImage", "inpaint", "replaceBackground", "generateBackground")

DIALECT = Dialect(
    name="recraft",
    routes=tuple(
        Route("POST", f"{prefix}/images/{what}", handle)
        for prefix in ("/v1", "")
        for what, handle in (("generations", generate), *((name, edit) for name in EDITS))
    ),
    say_error=say_error,
)
