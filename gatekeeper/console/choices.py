"""The settings of a model that somebody can choose in a form: their names, their values, and how a form spells them.

What has been chosen so far is a `GenerationRequest` in which None is "not chosen yet". A form is read leniently: a
value that means nothing is left out, and said so, for whoever changes one field may leave another that no longer fits.
Whether values go together is the calculator's question, and in the end the core's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from gatekeeper.core.rejection import number_text, quoted
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.rules import AddOnTrigger
from gatekeeper.core.sizes import Pixels, read_size
from gatekeeper.core.spec import Audio, Capability, ModelSpec, scale_text

OUTPUTS_LISTED_MAX: Final = 20
"""So many are offered one by one, each with its price; more are a number to type."""

NUMBER_MAX: Final = 10_000
"""More outputs or pictures than this nobody sends; it keeps a typed number from being a book."""

INPUT_DEFAULT: Final = Pixels(1920, 1080)
"""The picture that an upscale is priced for until somebody says otherwise."""

ON: Final = "true"
"""How a form says that a switch is on."""

PICTURE_TRIGGERS: Final = frozenset({AddOnTrigger.INPUT_IMAGE, AddOnTrigger.EACH_INPUT_IMAGE})


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the form. `name` is also the field of a request. `required`: it cannot be left to the model."""

    name: str
    label: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    values: Callable[[Capability], tuple[Any, ...]]
    required: bool = False
    shown: Callable[[Capability], bool] = lambda _: True


def _same(text: str) -> str:
    return text


def read_pixels(text: str) -> Pixels:
    """`1024x1536` in any of its spellings. Raises ValueError."""
    meaning = read_size(text)
    if not isinstance(meaning, Pixels):
        raise ValueError(f"{quoted(text)} is no size in pixels")
    return meaning


def _read_switch(text: str) -> bool:
    if text not in {ON, "false"}:
        raise ValueError(f"{quoted(text)} is neither true nor false")
    return text == ON


def _read_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(NUMBER_MAX)) and int(text) <= NUMBER_MAX):
        raise ValueError(f"{quoted(text)} is no number up to {NUMBER_MAX}")
    return int(text)


def _read_fraction(text: str) -> Fraction:
    number = text.removesuffix("x")
    if len(number) > len("1000.000") or not number.replace(".", "", 1).isdecimal() or not number.isascii():
        raise ValueError(f"{quoted(text)} is no number")
    return Fraction(number)


def _write_switch(value: bool) -> str:
    return ON if value else "false"


def _counts(capability: Capability) -> tuple[int, ...]:
    return tuple(range(1, min(capability.outputs_max, OUTPUTS_LISTED_MAX) + 1))


def _adds(*triggers: AddOnTrigger) -> Callable[[Capability], bool]:
    return lambda capability: any(add_on.when in triggers for add_on in capability.price.add_ons)


SETTINGS: Final = (
    Setting("resolution", "Resolution", _same, _same, lambda c: c.resolutions),
    Setting("aspect_ratio", "Aspect ratio", _same, _same, lambda c: c.aspect_ratios),
    Setting("duration_s", "Duration", _read_fraction, number_text, lambda c: c.durations),
    Setting(
        "audio",
        "Sound",
        _read_switch,
        _write_switch,
        lambda c: c.sounds,
        shown=lambda c: c.audio is Audio.OPTIONAL,
    ),
    Setting("quality", "Quality", _same, _same, lambda c: c.qualities),
    Setting("scale", "Scale", _read_fraction, scale_text, lambda c: c.scales, required=True),
    Setting("outputs", "Outputs", _read_number, str, _counts, required=True),
    Setting("size", "Size of your own", lambda text: str(read_pixels(text)), _same, lambda _: ()),
    Setting("input_pixels", "Picture that goes in", read_pixels, str, lambda _: (), required=True),
    Setting(
        "enhance_prompt",
        "Prompt enhancer",
        _read_switch,
        _write_switch,
        lambda _: (False, True),
        required=True,
        shown=_adds(AddOnTrigger.ENHANCE_PROMPT),
    ),
    Setting("reference_images", "Pictures that go in", _read_number, str, lambda _: (), required=True),
    Setting(
        "input_video",
        "Video that goes in",
        _read_switch,
        _write_switch,
        lambda _: (False, True),
        required=True,
        shown=lambda c: c.price.knows_input_video,
    ),
)
"""In the order of the form. The operation stands before them all."""

BY_NAME: Final = {setting.name: setting for setting in SETTINGS}

TYPED: Final = ("size", "input_pixels", "reference_images")
"""Settings that are written, not picked: they have no end of values."""


def takes_pictures(capability: Capability) -> bool:
    """Whether pictures that go in change the price."""
    return any(add_on.when in PICTURE_TRIGGERS for add_on in capability.price.add_ons)


def is_asked(setting: Setting, capability: Capability) -> bool:
    """Whether the form has this field for this model."""
    match setting.name:
        case "size":
            return capability.size_range is not None
        case "input_pixels":
            return capability.priced_by_input
        case "reference_images":
            return takes_pictures(capability)
        case _:
            return bool(setting.values(capability)) and setting.shown(capability)


def operation_chosen(model: ModelSpec, text: str | None) -> Operation:
    """The operation that a form names, else the model's first."""
    return next((each for each in model.operations if each.value == text), model.operations[0])


def nothing_chosen(model: ModelSpec, operation: Operation) -> GenerationRequest:
    """The request before anything is chosen: all that must be said is said in its simplest way. A prompt is there, for
    no price depends on it."""
    capability = model.capability(operation)
    assert capability is not None, "an operation of the model's own list has a capability"
    edits = operation is Operation.IMAGE_EDIT and takes_pictures(capability)
    return GenerationRequest(
        operation=operation,
        prompt_length=1,
        outputs=1,
        scale=capability.scales[0] if capability.scales else None,
        input_pixels=INPUT_DEFAULT if capability.priced_by_input else None,
        enhance_prompt=False,
        reference_images=1 if edits else 0,
    )


def read_form(model: ModelSpec, form: Mapping[str, str]) -> tuple[GenerationRequest, tuple[str, ...]]:
    """What a form says, each value for itself, and a sentence for each that means nothing to this model."""
    request = nothing_chosen(model, operation_chosen(model, form.get("operation")))
    capability = model.capability(request.operation or model.operations[0])
    assert capability is not None, "an operation of the model's own list has a capability"
    passed_over = []
    for setting in SETTINGS:
        text = form.get(setting.name, "").strip()
        if not text or not is_asked(setting, capability):
            continue
        try:
            value = setting.read(text)
        except ValueError as error:
            passed_over.append(f"{setting.label}: {error}.")
            continue
        if setting.name not in TYPED and not _is_sold(setting, capability, value):
            passed_over.append(f"{setting.label}: {model.name} has no {quoted(text)}.")
            continue
        request = replace(request, **{setting.name: value})
    return request, tuple(passed_over)


def _is_sold(setting: Setting, capability: Capability, value: object) -> bool:
    if setting.name == "outputs":
        return isinstance(value, int) and 1 <= value <= capability.outputs_max
    return value in setting.values(capability)


def written(request: GenerationRequest, model: ModelSpec) -> dict[str, str]:
    """What has been chosen as a form's fields, without what stands there anyway."""
    plain = nothing_chosen(model, request.operation or model.operations[0])
    found = {"operation": plain.operation.value} if plain.operation not in {None, model.operations[0]} else {}
    for setting in SETTINGS:
        value = getattr(request, setting.name)
        if value is not None and value != getattr(plain, setting.name):
            found[setting.name] = setting.write(value)
    return found
