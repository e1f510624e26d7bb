"""Ideogram's version 3: generate, edit, remix and replace-background, as forms, answered at once.

`partial` and `empty` withhold pictures as Ideogram's own check does: an entry with `is_image_safe: false` and no
address, which counts as not made.
"""

import asyncio
from dataclasses import replace
from typing import Any

from gatekeeper.sandbox.call import (
    Answer,
    Call,
    Dialect,
    ProviderError,
    Route,
    json_answer,
    retry_headers,
    text_field,
    whole_field,
)
from gatekeeper.sandbox.forms import Part, read_form
from gatekeeper.sandbox.picture import PictureSpec, picture_spec
from gatekeeper.sandbox.sizing import pixels_asked

MODEL = "ideogram-v3"
OUTPUTS_MAX = 8
SEED = 12345


async def generate(call: Call) -> Answer:
    """Pictures from a prompt."""
    return await _fulfil(call, needs_image=False)


async def edit(call: Call) -> Answer:
    """Pictures from a picture and a prompt."""
    return await _fulfil(call, needs_image=True)


async def _fulfil(call: Call, *, needs_image: bool) -> Answer:
    parts = await asyncio.to_thread(read_form, call.headers.get("Content-Type", ""), call.body)
    if needs_image and not any(part.name == "image" and part.file_name is not None for part in parts):
        raise ProviderError(400, "image is required.", param="image")
    fields = _text_fields(parts)
    if "aspect_ratio" in fields and "resolution" in fields:
        raise ProviderError(400, "aspect_ratio and resolution cannot be used together.", param="resolution")
    pixels = pixels_asked(fields.get("resolution"), None, fields.get("aspect_ratio"))
    spec = picture_spec(text_field(fields, "prompt"), MODEL, pixels.width, pixels.height)
    outputs = whole_field(fields, "num_images", default=1, lowest=1, highest=OUTPUTS_MAX)
    made = call.behaviour.made(outputs)
    data = [_entry(call, replace(spec, number=n, of=outputs), safe=n <= made) for n in range(1, outputs + 1)]
    call.record.generated(MODEL, made)
    return json_answer({"created": "2026-11-01T00:00:00Z", "data": data})


def _entry(call: Call, spec: PictureSpec, *, safe: bool) -> dict[str, Any]:
    return {
        "url": call.file_url(spec) if safe else "",
        "prompt": spec.prompt,
        "resolution": f"{spec.width}x{spec.height}",
        "seed": SEED,
        "is_image_safe": safe,
        "style_type": "GENERAL",
    }


def _text_fields(parts: list[Part]) -> dict[str, Any]:
    """A form's texts, with the number as a number."""
    fields: dict[str, Any] = {p.name: p.data.decode("utf-8", "replace") for p in parts if p.file_name is None}
    number = fields.get("num_images", "")
    return fields | ({"num_images": int(number[:9])} if number.isascii() and number.isdigit() else {})


def say_error(error: ProviderError) -> Answer:
    """One sentence."""
    return json_answer({"error": error.message}, error.status, retry_headers(error.status))


DIALECT = Dialect(
    name="ideogram",
    routes=(
        Route("POST", f"/v1/{MODEL}/generate", generate),
        *(Route("POST", f"/v1/{MODEL}/{what}", edit) for what in ("edit", "remix", "replace-background")),
    ),
    say_error=say_error,
)
