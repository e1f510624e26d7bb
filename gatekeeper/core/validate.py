"""Can this model do what is asked? A valid request, or every violation at once.

Each check looks at one setting and returns what it found wrong, so one answer tells the caller all there is to mend,
with what is allowed and the nearest valid choice. Prices are not looked at here, and nothing is corrected in silence.
What is said about size is read in `sizing`.
"""

from fractions import Fraction

from gatekeeper.core.combining import keep_sold
from gatekeeper.core.lasting import choose_duration, choose_sound
from gatekeeper.core.nearest import nearest_number
from gatekeeper.core.rejection import Code, Violation, number_text, quoted
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.sizes import AUTO, Pixels
from gatekeeper.core.sizing import SizeChoice, choose_size
from gatekeeper.core.spec import Capability, ModelSpec, scale_text

OUTPUTS_DEFAULT = 1
"""Every wire format in use makes one when no number is given, save raw Imagen (whose dialect says so)."""

INPUT_SIDE_PX_MAX = 100_000
"""No provider takes a picture this wide (Topaz, the widest, stops at 512 megapixels in all)."""

NEEDS_PROMPT = frozenset({Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT, Operation.VIDEO_GENERATE})
"""A film may do without, if a picture or another film goes in."""

_OF_A_VIDEO = frozenset({Operation.VIDEO_EDIT, Operation.VIDEO_EXTEND})
_MAY_BE_LEFT_OUT = ("operation", "resolution", "aspect_ratio", "size", "outputs", "quality", "enhance_prompt", "audio")


def validate(model: ModelSpec, request: GenerationRequest) -> ValidRequest | tuple[Violation, ...]:
    """The request with defaults filled, or all that is wrong with it. Never raises."""
    operation = model.operation_meant(request)
    capability = model.capability(operation)
    if capability is None:
        supported = tuple(str(o) for o in model.operations)
        return (Violation(Code.OPERATION_NOT_SUPPORTED, "operation", operation, supported),)
    choice, wrong = choose_size(capability, request)
    durations, too_long = choose_duration(capability, request)
    sounds, unheard = choose_sound(capability, request)
    if not (wrong or too_long or unheard):
        durations, sounds, wrong = keep_sold(capability, choice, durations, sounds)
    wrong += _check_outputs(capability, request.outputs)
    wrong += _check_scale(capability, request.scale)
    wrong += _check_quality(capability, request.quality) + too_long + unheard
    wrong += _check_prompt(operation, request)
    wrong += _check_input(capability.priced_by_input, request.input_pixels)
    wrong += _check_input_video(operation, capability, request)
    return tuple(wrong) if wrong else _fill(model, operation, capability, request, choice, durations, sounds)


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


def _check_prompt(operation: Operation, request: GenerationRequest) -> list[Violation]:
    """A film may be made from a picture or another film without a word."""
    moves = operation is Operation.VIDEO_GENERATE and bool(request.reference_images or request.input_video)
    if operation not in NEEDS_PROMPT or (request.prompt_length or 0) > 0 or moves:
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


def _check_input_video(operation: Operation, capability: Capability, request: GenerationRequest) -> list[Violation]:
    """Providers take more for it; where no price says how much, it is not sold."""
    if not request.input_video or operation in _OF_A_VIDEO or capability.price.knows_input_video:
        return []
    return [Violation(Code.UNSUPPORTED_COMBINATION, "input_video", "a video that goes in", ("text", "pictures"))]


def _size_default(capability: Capability, choice: SizeChoice, request: GenerationRequest) -> Pixels | None:
    """What the vendor makes when nothing at all is said about size."""
    said = choice.resolution or choice.aspect_ratio or request.sizes_asked()
    return None if said else capability.size_default


def _fill(
    model: ModelSpec,
    operation: Operation,
    capability: Capability,
    request: GenerationRequest,
    choice: SizeChoice,
    durations: tuple[Fraction, ...],
    sounds: tuple[bool, ...],
) -> ValidRequest:
    """`durations` and `sounds` are those that may come out; what changes no price is not left open."""
    settings = (*_MAY_BE_LEFT_OUT, "duration_s") if capability.durations else _MAY_BE_LEFT_OUT
    table_key = (choice.resolution or "", choice.aspect_ratio or "")
    return ValidRequest(
        model=model.id,
        operation=operation,
        resolution=choice.resolution,
        resolutions_possible=choice.resolutions_possible,
        aspect_ratio=choice.aspect_ratio,
        size=choice.size or capability.pixels.get(table_key) or _size_default(capability, choice, request),
        outputs=OUTPUTS_DEFAULT if request.outputs is None else request.outputs,
        scale=request.scale,
        input_pixels=request.input_pixels,
        quality=_quality(capability, request.quality),
        duration_s=durations[0] if len(durations) == 1 else None,
        durations_possible=(durations[0], durations[-1]) if len(durations) > 1 else (),
        audio=sounds == (True,),
        audio_open=len(sounds) > 1 and capability.price.sounds_differ,
        enhance_prompt=bool(request.enhance_prompt),
        reference_images=max(request.reference_images or 0, 0),
        input_video=request.input_video,
        defaulted=frozenset([name for name in settings if getattr(request, name) is None]),
    )
