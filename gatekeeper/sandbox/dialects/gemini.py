"""Google's formats: generateContent, Imagen's predict, Veo's operations and Interactions, on all of their addresses.

Pictures come in base64 as PNG, videos as files, or on Vertex AI in base64 too. A model answers in words when it is
asked for no picture, or for `partial=0` pictures. A filter takes the picture on `job_moderated`, the whole prompt on
`job_fail`. Token counts are made up. Operations and interactions are in `gemini_jobs`.
"""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gatekeeper.core.sizes import Pixels
from gatekeeper.sandbox.call import (
    Answer,
    Call,
    Dialect,
    ProviderError,
    Route,
    json_answer,
    json_object,
    retry_headers,
)
from gatekeeper.sandbox.dialects import gemini_jobs
from gatekeeper.sandbox.picture import PictureSpec, UnreadableImageError, open_image, picture_spec
from gatekeeper.sandbox.sizing import pixels_asked, upscaled

SAMPLES_DEFAULT = 4
SAMPLES_MAX = 4
CANDIDATES_MAX = 8
TOKENS_PER_IMAGE = 1_120
PROMPT_TOKENS = 9
THOUGHT_TOKENS = 90
WORDS = "A picture would say more than these words."
STATUS_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
MODELS = ("gemini-3.1-flash-image", "gemini-3-pro-image", "imagen-4.0-generate-001", "veo-3.1-generate-001")


@dataclass(frozen=True, slots=True)
class _Order:
    """What a conversation asks for."""

    spec: PictureSpec
    candidates: int
    wants_picture: bool


async def generate_content(call: Call) -> Answer:
    """One candidate, or several, each with a picture."""
    order = _read_order(call)
    return json_answer(await _content(call, order))


async def stream_content(call: Call) -> Answer:
    """The same in three pieces: as events with `alt=sse`, otherwise as a list."""
    order = _read_order(call)
    if call.query.get("alt") == "sse":
        return Answer(_events(call, order), content_type="text/event-stream")
    return json_answer([piece async for piece in _pieces(call, order)])


async def _events(call: Call, order: _Order) -> AsyncIterator[bytes]:
    async for piece in _pieces(call, order):
        yield b"data: " + orjson.dumps(piece) + b"\r\n\r\n"


async def _pieces(call: Call, order: _Order) -> AsyncIterator[dict[str, Any]]:
    yield _answer(order, [{"content": {"role": "model", "parts": [{"text": "Here it comes."}]}, "index": 0}], 0)
    if call.behaviour.error_event:
        yield {"error": {"code": 500, "message": "The sandbox was asked to fail.", "status": "INTERNAL"}}
        return
    whole = await _content(call, order)
    reasons = [{"finishReason": each.pop("finishReason", "STOP")} for each in whole.get("candidates", [])]
    yield whole
    yield {**_answer(order, reasons, 0), "usageMetadata": whole["usageMetadata"]}


async def _content(call: Call, order: _Order) -> dict[str, Any]:
    if call.behaviour.job_fail:
        return _answer(order, [], 0) | {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    if call.behaviour.job_moderated:
        return _answer(order, [{"finishReason": "IMAGE_SAFETY", "index": 0}], 0)
    if call.behaviour.empty:
        return _answer(order, [{"finishReason": "NO_IMAGE", "index": 0}], 0)
    made = call.behaviour.made(order.candidates) if order.wants_picture else 0
    call.record.generated(order.spec.model, made)
    candidates = [await _candidate(call, order, number) for number in range(1, made + 1)]
    if not candidates:
        candidates = [_candidate_of([{"text": WORDS}])]
    return _answer(order, candidates, made)


async def _candidate(call: Call, order: _Order, number: int) -> dict[str, Any]:
    spec = replace(order.spec, number=number, of=order.candidates)
    data = base64.b64encode(await call.studio.encoded(spec)).decode()
    return _candidate_of([{"text": "Here it is."}, {"inlineData": {"mimeType": spec.content_type, "data": data}}])


def _candidate_of(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}


def _answer(order: _Order, candidates: list[dict[str, Any]], images: int) -> dict[str, Any]:
    made = images * TOKENS_PER_IMAGE
    return {
        "candidates": candidates,
        "usageMetadata": {
            "promptTokenCount": PROMPT_TOKENS,
            "candidatesTokenCount": made,
            "thoughtsTokenCount": THOUGHT_TOKENS,
            "totalTokenCount": PROMPT_TOKENS + made + THOUGHT_TOKENS,
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": made}],
        },
        "modelVersion": order.spec.model,
        "responseId": "sandbox",
    }


def _read_order(call: Call) -> _Order:
    body = camel(json_object(call.body))
    config = body.get("generationConfig") or {}
    image = config.get("imageConfig") or {}
    parts = [part for content in body.get("contents") or [] for part in content.get("parts") or []]
    prompt = " ".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    if not parts:
        raise ProviderError(400, "contents are required.", code="INVALID_ARGUMENT")
    pixels = pixels_asked(None, image.get("imageSize"), image.get("aspectRatio"))
    spec = picture_spec(prompt, call.path_values["model"], pixels.width, pixels.height)
    modalities = config.get("responseModalities") or ["TEXT", "IMAGE"]
    return _Order(spec, min(CANDIDATES_MAX, config.get("candidateCount") or 1), "IMAGE" in modalities)


def camel(value: Any) -> Any:
    """Names in camelCase, at any depth: Google takes them in snake_case too."""
    if isinstance(value, list):
        return [camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {_camel_name(name): camel(each) for name, each in value.items()}


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


async def predict(call: Call) -> Answer:
    """Imagen: pictures, some of which a filter takes; or one made larger."""
    body = camel(json_object(call.body))
    instances = body.get("instances") or []
    if len(instances) != 1:
        raise ProviderError(400, "There must be one instance.", code="INVALID_ARGUMENT")
    parameters = body.get("parameters") or {}
    if call.behaviour.empty:
        return json_answer({})
    upscales = parameters.get("mode") == "upscale"
    asked = parameters.get("sampleCount") or (1 if upscales else SAMPLES_DEFAULT)
    if not 1 <= asked <= SAMPLES_MAX:
        raise ProviderError(400, f"sampleCount must be 1 to {SAMPLES_MAX}.", code="INVALID_ARGUMENT")
    spec = _upscale_spec(call, instances[0], parameters) if upscales else _imagen_spec(call, instances[0], parameters)
    made = 0 if call.behaviour.job_moderated else call.behaviour.made(asked)
    call.record.generated(spec.model, made)
    predictions = [await _prediction(call, replace(spec, number=n, of=asked)) for n in range(1, made + 1)]
    filtered = [{"raiFilteredReason": "The sandbox was asked to filter it."}] * (asked - made)
    return json_answer({"predictions": [*predictions, *filtered]})


def _imagen_spec(call: Call, instance: dict[str, Any], parameters: dict[str, Any]) -> PictureSpec:
    pixels = pixels_asked(None, parameters.get("sampleImageSize"), parameters.get("aspectRatio"))
    return picture_spec(str(instance.get("prompt", "")), call.path_values["model"], pixels.width, pixels.height)


def _upscale_spec(call: Call, instance: dict[str, Any], parameters: dict[str, Any]) -> PictureSpec:
    image = instance.get("image") or {}
    try:
        given = open_image(base64.b64decode(image.get("bytesBase64Encoded", "")))
    except (UnreadableImageError, ValueError) as error:
        raise ProviderError(400, f"image {error}.", code="INVALID_ARGUMENT") from error
    factor = str((parameters.get("upscaleConfig") or {}).get("upscaleFactor", "x2"))
    pixels = upscaled(Pixels(*given.size), float(factor.removeprefix("x")))
    return picture_spec("", call.path_values["model"], pixels.width, pixels.height)


async def _prediction(call: Call, spec: PictureSpec) -> dict[str, str]:
    data = base64.b64encode(await call.studio.encoded(spec)).decode()
    return {"bytesBase64Encoded": data, "mimeType": spec.content_type}


async def list_models(_call: Call) -> Answer:
    return json_answer({"models": [{"name": f"models/{name}", "displayName": name} for name in MODELS]})


async def show_model(call: Call) -> Answer:
    """Any name is a model here."""
    return json_answer({"name": f"models/{call.path_values['model']}"})


def say_error(error: ProviderError) -> Answer:
    """Google's error body."""
    told = {"code": error.status, "message": error.message, "status": STATUS_WORDS.get(error.status, "INTERNAL")}
    return Answer(json.dumps({"error": told}).encode(), error.status, headers=retry_headers(error.status))


_GEMINI = "/{version}/models"
_VERTEX = "/{version}/projects/{project}/locations/{location}/publishers/google/models"
_EXPRESS = "/{version}/{express:publishers}/google/models"


def _verbs(models: str) -> tuple[Route, ...]:
    return (
        Route("POST", models + "/{model}:generateContent", generate_content),
        Route("POST", models + "/{model}:streamGenerateContent", stream_content),
        Route("POST", models + "/{model}:predict", predict),
        Route("POST", models + "/{model}:predictLongRunning", gemini_jobs.start_operation),
        Route("POST", models + "/{model}:fetchPredictOperation", gemini_jobs.fetch_operation, generates=False),
    )


DIALECT = Dialect(
    name="gemini",
    routes=(
        *_verbs(_GEMINI),
        *_verbs(_VERTEX),
        *_verbs(_EXPRESS),
        Route("GET", _GEMINI + "/{model}/operations/{operation}", gemini_jobs.get_operation, generates=False),
        Route("GET", "/{version}/files/{file}:download", gemini_jobs.download, generates=False),
        Route("POST", "/{version}/interactions", gemini_jobs.interact),
        Route("GET", "/{version}/interactions/{interaction}", gemini_jobs.show_interaction, generates=False),
        Route("POST", "/{version}/interactions/{interaction}/cancel", gemini_jobs.cancel_interaction, generates=False),
        Route("GET", _GEMINI, list_models, generates=False),
        Route("GET", _GEMINI + "/{model}", show_model, generates=False),
        Route("GET", _EXPRESS, list_models, generates=False),
        Route("GET", _EXPRESS + "/{model}", show_model, generates=False),
    ),
    say_error=say_error,
)
