"""Can this model do what is asked? A valid request, or every violation at once.

Each check looks at one setting and returns what it found wrong, so one answer tells the caller all there is to mend,
with what is allowed and the nearest valid choice. Prices are not looked at here, and nothing is corrected in silence.
What is said about size is read in `sizing`.
"""

from fractions import Fraction

from gatekeeper.core.nearest import nearest_number
from gatekeeper.core.rejection import Code, Violation, number_text, quoted
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.sizes import AUTO, Pixels
from gatekeeper.core.sizing import SizeChoice, choose_size
from gatekeeper.core.spec import Audio, Capability, ModelSpec, scale_text

OUTPUTS_DEFAULT = 1
"""Every wire format in use makes one when no number is given, save raw Imagen (whose dialect says so)."""

INPUT_SIDE_PX_MAX = 100_000
"""No provider takes a picture this wide (Topaz, the widest, stops at 512 megapixels in all)."""

_NEEDS_PROMPT = frozenset({Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT, Operation.VIDEO_GENERATE})
_NEEDS_INPUT_PIXELS = frozenset({Operation.IMAGE_UPSCALE})
_MAY_BE_LEFT_OUT = ("operation", "resolution", "aspect_ratio", "size", "outputs", "quality", "enhance_prompt", "audio")


def validate(model: ModelSpec, request: GenerationRequest) -> ValidRequest | tuple[Violation, ...]:
    """The request with defaults filled, or all that is wrong with it. Never raises."""
    operation = request.operation or model.operations[0]
    capability = model.capability(operation)
    if capability is None:
        supported = tuple(str(o) for o in model.operations)
        return (Violation(Code.OPERATION_NOT_SUPPORTED, "operation", operation, supported),)
    choice, wrong = choose_size(capability, request)
    wrong += _check_outputs(capability, request.outputs)
    wrong += _check_scale(capability, request.scale)
    wrong += _check_quality(capability, request.quality)
    wrong += _check_sound_and_length(capability, request)
    wrong += _check_prompt(operation, request.prompt_length)
    wrong += _check_input(operation in _NEEDS_INPUT_PIXELS or capability.priced_by_input, request.input_pixels)
    return tuple(wrong) if wrong else _fill(model, operation, capability, request, choice)


def _check_outputs(capability: Capability, outputs: int | None) -> list[Violation]:
    if outputs is None or 1 <= outputs <= capability.outputs_max:
        return []
    supported = ("1",) if capability.outputs_max == 1 else (f"1 to {capability.outputs_max}",)
    nearest = "1" if outputs < 1 else str(capability.outputs_max)
    return [Violation(Code.TOO_MANY_OUTPUTS, "outputs", number_text(outputs), supported, nearest)]


def _check_scale(capability: Capability, scale: Fraction | None) -> list[Violation]:
    if scale in capability.scales or (scale is None and not capability.scales):
        return []
    supported = tuple(scale_text(s) for s in capability.scales)
    if scale is None:
        return [Violation(Code.MISSING_PARAMETER, "scale", "nothing", supported)]
    nearest = nearest_number(scale, capability.scales)
    named = None if nearest is None else scale_text(nearest)
    return [Violation(Code.UNSUPPORTED_SCALE, "scale", scale_text(scale), supported, named)]


def _quality(capability: Capability, quality: str | None) -> str | None:
    """The quality that was asked; None for none, and for "auto" where the model has qualities to choose from."""
    return None if quality is not None and capability.qualities and quality.lower() == AUTO else quality


def _check_quality(capability: Capability, quality: str | None) -> list[Violation]:
    asked = _quality(capability, quality)
    if asked is None or asked in capability.qualities:
        return []
    nearest = next((q for q in capability.qualities if q.lower() == asked.lower()), None)
    return [Violation(Code.UNSUPPORTED_QUALITY, "quality", quoted(asked), capability.qualities, nearest)]


def _check_sound_and_length(capability: Capability, request: GenerationRequest) -> list[Violation]:
    """Pictures have neither; a caller who asks a picture model for either has the wrong model or operation."""
    wrong = []
    if request.duration_s is not None:
        wrong.append(Violation(Code.UNSUPPORTED_DURATION, "duration_s", number_text(request.duration_s)))
    if request.audio and capability.audio is Audio.NONE:
        wrong.append(Violation(Code.UNSUPPORTED_AUDIO, "audio", "true", ("false",), "false"))
    if request.audio is False and capability.audio is Audio.ALWAYS:
        wrong.append(Violation(Code.UNSUPPORTED_AUDIO, "audio", "false", ("true",), "true"))
    return wrong


def _check_prompt(operation: Operation, prompt_length: int | None) -> list[Violation]:
    if operation not in _NEEDS_PROMPT or (prompt_length or 0) > 0:
        return []
    return [Violation(Code.MISSING_PARAMETER, "prompt", "nothing", ("a text",))]


def _check_input(needed: bool, pixels: Pixels | None) -> list[Violation]:
    """Where it is needed it is there, and where it is given it is the size of a picture: prices are made from it."""
    if pixels is None:
        supported = ('{"width": pixels, "height": pixels} of the image that goes in',)
        return [Violation(Code.MISSING_PARAMETER, "input", "nothing", supported)] if needed else []
    if all(1 <= side <= INPUT_SIDE_PX_MAX for side in (pixels.width, pixels.height)):
        return []
    asked = f"{number_text(pixels.width)}x{number_text(pixels.height)}"
    return [Violation(Code.UNSUPPORTED_SIZE, "input", asked, (f"1 to {INPUT_SIDE_PX_MAX} px a side",))]


def _fill(
    model: ModelSpec,
    operation: Operation,
    capability: Capability,
    request: GenerationRequest,
    choice: SizeChoice,
) -> ValidRequest:
    table_key = (choice.resolution or "", choice.aspect_ratio or "")
    return ValidRequest(
        model=model.id,
        operation=operation,
        resolution=choice.resolution,
        resolutions_possible=choice.resolutions_possible,
        aspect_ratio=choice.aspect_ratio,
        size=choice.size or capability.pixels.get(table_key),
        outputs=OUTPUTS_DEFAULT if request.outputs is None else request.outputs,
        scale=request.scale,
        input_pixels=request.input_pixels,
        quality=_quality(capability, request.quality),
        audio=bool(request.audio) or capability.audio is Audio.ALWAYS,
        enhance_prompt=bool(request.enhance_prompt),
        defaulted=frozenset([name for name in _MAY_BE_LEFT_OUT if getattr(request, name) is None]),
    )
