"""What Google's bodies ask for: generateContent, Imagen's predict, Veo's predictLongRunning.

Whatever would make the provider do, or charge for, something that no price here knows is refused by name: tools,
cached contents, another model by way of the body, outputs that are written elsewhere than into the answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import png_pixels
from gatekeeper.dialects.base import Route
from gatekeeper.dialects.fields import joined_digest
from gatekeeper.dialects.protofields import ProtoFields

IMAGEN_SAMPLES_DEFAULT = 4
"""What Imagen makes when no sampleCount is given (Vertex AI's reference of the Imagen API; the SDK leaves it out)."""

LEFT_OUT = "left out: what it costs is not known here"

_SPENDING = ("tools", "cachedContent", "continuationToken", "outputConfig")
_AT_LENGTH = ("responseLogprobs", "logprobs")
"""They make the answer so long that what came could not be read."""

_ROUTING = ("routingConfig", "modelConfig", "modelSelectionConfig")
"""They may choose another model than the one in the address."""

_MODALITIES = frozenset({"TEXT", "IMAGE"})
_CHEAP_TIERS = frozenset({"standard", "flex", "unspecified", "deferred", "service_tier_unspecified"})
"""None of them costs more than the usual price; `priority` does."""

SOURCES_MAX = 16
"""Files that one request may be made from: more than any model takes. Each is looked up."""

_VALUES: Final = "camelCase"
"""`instances` and `parameters` are no messages but values (google.protobuf.Value), whose names stand as they are."""

_KEPT = re.compile(
    r"(?:https?://generativelanguage\.googleapis\.com[^?#]*/)?files/([A-Za-z0-9_-]{1,100})", re.IGNORECASE
)
_NO_PICTURE = ("video/", "audio/", "application/", "text/")
_FACTOR = re.compile(r"x([0-9]{1,2})")


@dataclass(slots=True)
class Inputs:
    """What goes in: characters of text, pictures, whether a video does, and what of it Google keeps under a name."""

    length: int = 0
    images: int = 0
    video: bool = False
    sources: list[str] = field(default_factory=list)
    digests: list[bytes | None] = field(default_factory=list)

    def take_text(self, fields: ProtoFields, name: str) -> None:
        """A text, if there is one, of which no more is kept than its length and what tells it from another."""
        self.length += fields.text_length(name) or 0
        self.digests.append(fields.text_digest(name))

    def take_media(self, mime_type: str | None) -> None:
        """What does not say that it is something else counts as a picture."""
        kind = (mime_type or "").lower()
        self.video = self.video or kind.startswith("video/")
        self.images += not kind.startswith(_NO_PICTURE)

    def take_file(self, fields: ProtoFields, name: str) -> None:
        """A file at Google that an address names, if that is what it names."""
        for file in kept_files(fields.head(name)):
            if len(self.sources) == SOURCES_MAX:
                fields.wrong(name, f"one of at most {SOURCES_MAX} files")
            else:
                self.sources.append(file)


def kept_files(uri: str) -> Iterator[str]:
    """The name of the file that Google keeps at this address: `files/abc`. Addresses of anybody else have none."""
    match = _KEPT.match(uri)
    if match is not None:
        yield f"files/{match[1]}"


def check_tier(fields: ProtoFields) -> None:
    """Notes a service tier that costs more."""
    tier = fields.text("serviceTier")
    if tier is not None and tier.lower() not in _CHEAP_TIERS:
        fields.wrong("serviceTier", "standard or flex")


def read_content(route: Route, body: ProtoFields) -> GenerationRequest:
    """A picture from a conversation. It has no number of outputs: the model may make several, or none."""
    for name in _SPENDING:
        body.wrong(name, LEFT_OUT)
    check_tier(body)
    _check_model(route, body)
    inputs = _read_contents(body)
    config = body.inner("generationConfig")
    settings = None if config is None else _read_config(config)
    return GenerationRequest(
        model=route.model,
        operation=Operation.IMAGE_EDIT if inputs.images else Operation.IMAGE_GENERATE,
        resolution=None if settings is None else settings.text("imageSize"),
        aspect_ratio=None if settings is None else settings.text("aspectRatio"),
        outputs=None if config is None else config.whole("candidateCount"),
        prompt_length=inputs.length,
        prompt_digest=joined_digest(inputs.digests),
        reference_images=inputs.images or None,
        input_video=inputs.video,
        sources=tuple(inputs.sources),
        stream=route.name == "streamGenerateContent",
    )


def _check_model(route: Route, body: ProtoFields) -> None:
    """The address names the model; a body that names another one is not a wish but a trick."""
    named = body.text("model")
    if named is not None and named.rpartition("/")[2] != route.model:
        body.wrong("model", "left out: the address names it")


def _read_contents(body: ProtoFields) -> Inputs:
    inputs = Inputs()
    for content in body.objects("contents"):
        for part in content.objects("parts"):
            inputs.take_text(part, "text")
            for name in ("inlineData", "fileData"):
                media = part.inner(name)
                if media is not None:
                    inputs.take_media(media.text("mimeType"))
                    inputs.take_file(media, "fileUri")
    return inputs


def _read_config(config: ProtoFields) -> ProtoFields | None:
    """Where size and ratio stand: in imageConfig, or in the image of responseFormat. In both is once too often."""
    for name in (*_ROUTING, *_AT_LENGTH):
        config.wrong(name, LEFT_OUT)
    modalities = config.words("responseModalities")
    if modalities and not (set(modalities) <= _MODALITIES and "IMAGE" in modalities):
        config.wrong("responseModalities", "IMAGE, with TEXT or without")
    old = config.inner("imageConfig")
    formats = config.one_or_more("responseFormat")
    for each in formats:
        each.wrong("video", LEFT_OUT)
    new = [image for each in formats if (image := each.inner("image")) is not None]
    if len(new) + (old is not None) > 1:
        config.wrong("responseFormat", "left out beside another image format")
    return old if old is not None or not new else new[0]


def read_predict(route: Route, body: ProtoFields) -> GenerationRequest:
    """Imagen: pictures from a prompt, edits, and upscales by a factor."""
    body = body.spelled(_VALUES)
    instance, parameters = _one_instance(body), body.inner("parameters")
    operation, scale = _imagen_operation(instance, parameters), None
    if operation is Operation.IMAGE_UPSCALE and parameters is not None:
        scale = _read_factor(parameters)
    made = None if parameters is None else parameters.whole("sampleCount")
    default = None if operation is Operation.IMAGE_UPSCALE else IMAGEN_SAMPLES_DEFAULT
    return GenerationRequest(
        model=route.model,
        operation=operation,
        resolution=None if parameters is None else parameters.text("sampleImageSize"),
        aspect_ratio=None if parameters is None else parameters.text("aspectRatio"),
        outputs=default if made is None else made,
        scale=scale,
        input_pixels=_input_pixels(instance) if operation is Operation.IMAGE_UPSCALE else None,
        enhance_prompt=None if parameters is None else parameters.flag("enhancePrompt"),
        prompt_length=None if instance is None else instance.text_length("prompt"),
        prompt_digest=None if instance is None else instance.text_digest("prompt"),
        reference_images=_pictures(instance),
    )


def _one_instance(body: ProtoFields) -> ProtoFields | None:
    instances = body.objects("instances")
    if len(instances) == 1:
        return instances[0]
    if instances:
        body.wrong("instances", "a list of one object")
    else:
        body.missing("instances", "a list of one object")
    return None


def _imagen_operation(instance: ProtoFields | None, parameters: ProtoFields | None) -> Operation:
    if parameters is not None and (parameters.text("mode") == "upscale" or parameters.given("upscaleConfig")):
        return Operation.IMAGE_UPSCALE
    edits = ("referenceImages", "image", "mask", "productImages", "personImage")
    edited = instance is not None and any(instance.given(name) for name in edits)
    if edited or (parameters is not None and (parameters.given("editMode") or parameters.given("editConfig"))):
        return Operation.IMAGE_EDIT
    return Operation.IMAGE_GENERATE


def _read_factor(parameters: ProtoFields) -> Fraction | None:
    config = parameters.inner("upscaleConfig")
    factor = None if config is None else config.text("upscaleFactor")
    match = None if factor is None else _FACTOR.fullmatch(factor)
    if factor is not None and match is None and config is not None:
        config.wrong("upscaleFactor", "x2, x3 or x4")
    return None if match is None else Fraction(match[1])


def _input_pixels(instance: ProtoFields | None) -> Pixels | None:
    """The size of the picture that goes in, if it is a PNG: its first bytes tell."""
    image = None if instance is None else instance.inner("image")
    return None if image is None else png_pixels(image.head("bytesBase64Encoded"))


def _pictures(instance: ProtoFields | None) -> int | None:
    if instance is None:
        return None
    beside = len(instance.objects("referenceImages"))
    return beside + sum(instance.given(name) for name in ("image", "lastFrame")) or None


def read_video(route: Route, body: ProtoFields) -> GenerationRequest:
    """Veo: a video from a prompt and pictures, one that goes on from a video, or a video with a part made anew."""
    body = body.spelled(_VALUES)
    instance, parameters = _one_instance(body), body.inner("parameters")
    has_video = instance is not None and instance.given("video")
    edits = instance is not None and instance.given("mask")
    request = GenerationRequest(
        model=route.model,
        operation=Operation.VIDEO_EDIT if edits else Operation.VIDEO_EXTEND if has_video else Operation.VIDEO_GENERATE,
        prompt_length=None if instance is None else instance.text_length("prompt"),
        prompt_digest=None if instance is None else instance.text_digest("prompt"),
        reference_images=_pictures(instance),
        input_video=has_video,
        sources=_video_sources(instance),
    )
    return request if parameters is None else _with_parameters(request, parameters)


def _with_parameters(request: GenerationRequest, parameters: ProtoFields) -> GenerationRequest:
    parameters.wrong("task", LEFT_OUT)
    return GenerationRequest(
        model=request.model,
        operation=request.operation,
        resolution=parameters.text("resolution"),
        aspect_ratio=parameters.text("aspectRatio"),
        outputs=parameters.whole("sampleCount"),
        duration_s=parameters.quantity("durationSeconds", "s"),
        audio=parameters.flag("generateAudio"),
        enhance_prompt=parameters.flag("enhancePrompt"),
        prompt_length=request.prompt_length,
        prompt_digest=request.prompt_digest,
        reference_images=request.reference_images,
        input_video=request.input_video,
        sources=request.sources,
    )


def _video_sources(instance: ProtoFields | None) -> tuple[str, ...]:
    video = None if instance is None else instance.inner("video")
    inputs = Inputs()
    for name in ("uri", "gcsUri"):
        if video is not None:
            inputs.take_file(video, name)
    return tuple(inputs.sources)
