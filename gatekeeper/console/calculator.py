"""What a generation would cost, setting by setting: what may still be chosen, what each choice comes to, and the total.

It has no prices and no rules of its own. Every figure is `core.price.quote` of what `core.decide` let through, as in
the data plane, so that what is shown here is what is held there. A choice is offered if something completes it; where
the rest of what was chosen does not go with it as it stands, the nearest completion is what it is priced by.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, Final

from gatekeeper.console.choices import (
    BY_NAME,
    SETTINGS,
    TYPED,
    Setting,
    is_asked,
    nothing_chosen,
    read_form,
)
from gatekeeper.console.freesizes import suggested_sizes
from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, credits_text
from gatekeeper.core.decide import Priced, decide
from gatekeeper.core.price import Quote, quote
from gatekeeper.core.rejection import number_text
from gatekeeper.core.request import GenerationRequest, Operation, ValidRequest
from gatekeeper.core.spec import Capability, ModelSpec

OPEN_SETTINGS: Final = ("resolution", "aspect_ratio", "duration_s", "audio")
"""What a file's `not_sold` is about, and so what a choice may need beside it."""

_UNITS: Final = {"duration_s": " s"}
_SWITCH_WORDS: Final = {
    "audio": ("without sound", "with sound"),
    "enhance_prompt": ("off", "on"),
    "input_video": ("none", "one video"),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One value that may be chosen. `value` is how a form says it, "" for leaving it to the model.

    `credits` is what the whole generation costs with it, in micro-credits, everything else as chosen or as the model
    makes it; `beside` names what it then needs beside it. `pixels` is what comes out, where that is known.
    """

    value: str
    label: str
    credits: int
    chosen: bool
    upper_bound: bool = False
    beside: str = ""
    pixels: str = ""

    @property
    def credits_text(self) -> str:
        return credits_text(self.credits)


@dataclass(frozen=True, slots=True)
class Control:
    """One field of the form. Typed ones have a value, and options only as suggestions. `hint` says what it takes."""

    name: str
    label: str
    options: tuple[Option, ...]
    value: str = ""
    typed: bool = False
    hint: str = ""

    @property
    def has_choice(self) -> bool:
        return len(self.options) > 1

    @property
    def prices_differ(self) -> bool:
        """Whether it changes the price at all, as things stand."""
        return len({option.credits for option in self.options}) > 1


@dataclass(frozen=True, slots=True)
class Calculation:
    """What was chosen, what it comes to, and what else may be chosen.

    `chosen` is what counts of what was said; `asked` the same with what it needs beside it; `beside` names that.
    `passed_over` has a sentence for each thing said that does not count.
    """

    model: ModelSpec
    capability: Capability
    chosen: GenerationRequest
    asked: GenerationRequest
    valid: ValidRequest
    quote: Quote
    controls: tuple[Control, ...]
    beside: str = ""
    passed_over: tuple[str, ...] = ()


def calculate(model: ModelSpec, form: Mapping[str, str], changed: str | None = None) -> Calculation:
    """The total of what a form says, and the form as it may go on.

    `changed` is the field that was changed last: where two do not go together, the other one gives way. Every model of
    a catalog has something that it does, so there is always a total.
    """
    said, passed_over = read_form(model, form)
    chosen, given_up = _together(model, said, changed)
    found = complete(model, chosen)
    assert found is not None, "what is kept of a form can be completed"
    asked, priced = found
    capability = _capability(model, chosen)
    return Calculation(
        model=model,
        capability=capability,
        chosen=chosen,
        asked=asked,
        valid=priced.valid,
        quote=quote(model, priced.valid),
        controls=tuple(_controls(model, capability, chosen)),
        beside=_beside(chosen, asked),
        passed_over=(*passed_over, *given_up),
    )


def complete(model: ModelSpec, chosen: GenerationRequest) -> tuple[GenerationRequest, Priced] | None:
    """The chosen settings with as few others beside them as make them valid; None if nothing does."""
    for each in _completions(model, chosen):
        decision = decide(model, each)
        if isinstance(decision, Priced) and decision.worth.credits <= AMOUNT_MICROCREDITS_MAX:
            return each, decision
    return None


def options_of(model: ModelSpec, chosen: GenerationRequest, setting: Setting) -> tuple[Option, ...]:
    """Every value of one setting that something completes, the rest being as chosen."""
    capability = _capability(model, chosen)
    values: Iterable[Any] = setting.values(capability)
    if setting.name == "size":
        values = [str(size) for size in suggested_sizes(capability)]
    left_open = () if setting.required else (None,)
    found = (_option(model, chosen, setting, value) for value in (*left_open, *values))
    return tuple(option for option in found if option is not None)


def _capability(model: ModelSpec, chosen: GenerationRequest) -> Capability:
    capability = model.capability(model.operation_meant(chosen))
    assert capability is not None, "only operations of the model are chosen"
    return capability


def _completions(model: ModelSpec, chosen: GenerationRequest) -> Iterator[GenerationRequest]:
    """The chosen settings as they are, then with one open setting named, then with two, and so on."""
    yield chosen
    capability = _capability(model, chosen)
    if not capability.not_sold:
        return
    values = {name: BY_NAME[name].values(capability) for name in OPEN_SETTINGS if getattr(chosen, name) is None}
    named = [name for name, possible in values.items() if len(possible) > 1]
    for count in range(1, len(named) + 1):
        for names in combinations(named, count):
            for picked in product(*(values[name] for name in names)):
                yield replace(chosen, **dict(zip(names, picked, strict=True)))


def _together(
    model: ModelSpec, said: GenerationRequest, changed: str | None
) -> tuple[GenerationRequest, tuple[str, ...]]:
    """As much of what was said as goes together, what was changed last before all else."""
    if complete(model, said) is not None:
        return said, ()
    kept = nothing_chosen(model, model.operation_meant(said))
    order = sorted(SETTINGS, key=lambda setting: setting.name != changed)
    given_up = []
    for setting in order:
        value = getattr(said, setting.name)
        if value in {None, getattr(kept, setting.name)}:
            continue
        more = replace(kept, **{setting.name: value})
        if complete(model, more) is not None:
            kept = more
        else:
            given_up.append(f"{setting.label} {label_of(setting, value)} does not go with the rest and is not counted.")
    return kept, tuple(given_up)


def _controls(model: ModelSpec, capability: Capability, chosen: GenerationRequest) -> Iterator[Control]:
    if len(model.operations) > 1:
        yield Control("operation", "Operation", tuple(_operations(model, chosen)))
    for setting in SETTINGS:
        if not is_asked(setting, capability) or _is_settled(setting, capability):
            continue
        value = getattr(chosen, setting.name)
        typed = setting.name in TYPED or (
            setting.name == "outputs" and capability.outputs_max > len(setting.values(capability))
        )
        yield Control(
            setting.name,
            setting.label,
            options_of(model, chosen, setting),
            value="" if value is None else setting.write(value),
            typed=typed,
            hint=_hint(setting, capability),
        )


def _is_settled(setting: Setting, capability: Capability) -> bool:
    """Whether there is one value, which comes out whatever is said."""
    return setting.name not in TYPED and len(setting.values(capability)) == 1


def _operations(model: ModelSpec, chosen: GenerationRequest) -> Iterator[Option]:
    """What the same settings cost in another operation, as far as they mean something there."""
    for operation in model.operations:
        moved = chosen if operation is chosen.operation else _moved(model, chosen, operation)
        found = complete(model, moved)
        if found is not None:
            worth = found[1].worth
            is_chosen = operation is chosen.operation
            yield Option(operation.value, operation_text(operation), worth.credits, is_chosen, worth.upper_bound)


def _moved(model: ModelSpec, chosen: GenerationRequest, operation: Operation) -> GenerationRequest:
    """The chosen settings, as far as they go, in another operation. Its own pictures go in, not those of this one."""
    capability = model.capability(operation)
    assert capability is not None, "an operation of the model's own list has a capability"
    plain = nothing_chosen(model, operation)
    asked = [
        setting.name for setting in SETTINGS if is_asked(setting, capability) and setting.name != "reference_images"
    ]
    moved = replace(plain, **{name: getattr(chosen, name) for name in asked if getattr(chosen, name) is not None})
    return moved if complete(model, moved) is not None else plain


def _option(model: ModelSpec, chosen: GenerationRequest, setting: Setting, value: Any) -> Option | None:
    asked = replace(chosen, **{setting.name: value})
    found = complete(model, asked)
    if found is None:
        return None
    completed, priced = found
    return Option(
        value="" if value is None else setting.write(value),
        label=_open_label(setting, asked, _capability(model, chosen)) if value is None else label_of(setting, value),
        credits=priced.worth.credits,
        chosen=value == getattr(chosen, setting.name),
        upper_bound=priced.worth.upper_bound,
        beside=_beside(asked, completed),
        pixels=_pixels(setting, value, priced.valid),
    )


def label_of(setting: Setting, value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return _SWITCH_WORDS[setting.name][value]
    text = setting.write(value)
    return text.replace("x", " × ") if setting.name in {"size", "input_pixels"} else text + _UNITS.get(setting.name, "")


def operation_text(operation: Operation) -> str:
    """`image.style_reference` as people read it."""
    noun, _, verb = operation.partition(".")
    return f"{verb.replace('_', ' ')} {noun}" if verb != "style_reference" else "image by style"


def _open_label(setting: Setting, asked: GenerationRequest, capability: Capability) -> str:
    """What it means not to choose."""
    if asked.size is not None and setting.name in {"resolution", "aspect_ratio"}:
        return "as the size has it"
    known = getattr(capability, _DEFAULTS[setting.name], None) if setting.name in _DEFAULTS else None
    if setting.name == "size":
        return "none"
    return "left to the model" if known is None else f"as the model does: {label_of(setting, known)}"


_DEFAULTS: Final = {"resolution": "resolution_default", "duration_s": "duration_default", "audio": "audio_default"}


def _beside(asked: GenerationRequest, completed: GenerationRequest) -> str:
    """What a completion had to name."""
    named = [n for n in OPEN_SETTINGS if getattr(asked, n) is None and getattr(completed, n) is not None]
    return ", ".join(label_of(BY_NAME[name], getattr(completed, name)) for name in named)


def _pixels(setting: Setting, value: Any, valid: ValidRequest) -> str:
    if value is None or valid.size is None or setting.name not in {"resolution", "aspect_ratio"}:
        return ""
    return f"{valid.size.width} × {valid.size.height}"


def _hint(setting: Setting, capability: Capability) -> str:
    """What a typed field takes."""
    match setting.name:
        case "size" if capability.size_range is not None:
            return ", ".join(capability.size_range.describe())
        case "input_pixels":
            return "width x height of the picture, in pixels"
        case "reference_images":
            free = max((add_on.free for add_on in capability.price.add_ons), default=0)
            return f"the first {number_text(free)} cost nothing" if free else "how many"
        case "outputs" if capability.outputs_max > 1:
            return f"1 to {capability.outputs_max}"
        case _:
            return ""
