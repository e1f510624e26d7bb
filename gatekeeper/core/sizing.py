"""What a caller's words about size come to at one model: the tier, the ratio and the pixels, or what is wrong.

`size`, `resolution` and `aspect_ratio` may each say something, and each says it in its own way. Two that contradict
each other are a violation, never a silent pick. Where the words leave the tier open, all tiers that may come out are
kept, so that the dearest can be held: which of two words a provider follows is not known here.
"""

from dataclasses import dataclass
from fractions import Fraction

from gatekeeper.core.nearest import nearest_ratio, nearest_size, nearest_tier
from gatekeeper.core.rejection import Code, Violation, quoted
from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.sizes import Auto, Pixels, Ratio, Tier, Unreadable, ratio_value
from gatekeeper.core.spec import Capability

RATIO_TOLERANCE = Fraction(2, 100)
"""How far a free size may lie from a sellable ratio and still carry its label: 1920x1088 is 16:9 (0.7 % off)."""


@dataclass(slots=True)
class SizeChoice:
    """None: nothing said, or left to the model. `resolutions_possible`: the tiers that may come out if it is open.

    Which of those are sold with the rest is `combining`'s question.
    """

    resolution: str | None = None
    aspect_ratio: str | None = None
    size: Pixels | None = None
    resolutions_possible: tuple[str, ...] = ()


def choose_size(capability: Capability, request: GenerationRequest) -> tuple[SizeChoice, list[Violation]]:
    """Takes every word about size in turn, then fills what was left open. The choice counts if nothing is wrong."""
    choice, wrong, auto = SizeChoice(), list[Violation](), set[str]()
    for field, meaning in request.sizes_asked():
        match meaning:
            case Auto():
                auto.add(field)
            case Unreadable(text):
                wrong.append(_unreadable(capability, field, text))
            case Tier(name):
                wrong += _take_tier(capability, choice, field, name)
            case Ratio(label):
                wrong += _take_ratio(capability, choice, field, label)
            case Pixels():
                wrong += _take_pixels(capability, choice, field, meaning)
    if not wrong:
        _leave_open(capability, choice, auto)
    return choice, wrong


def sizes_supported(capability: Capability) -> tuple[str, ...]:
    """The sizes in pixels that a capability takes: its table, then its free range in words."""
    table = tuple(str(size) for size in capability.sizes_sold())
    return table + (capability.size_range.describe() if capability.size_range else ())


def _unreadable(capability: Capability, field: str, text: str) -> Violation:
    match field:
        case "resolution":
            return Violation(Code.UNSUPPORTED_RESOLUTION, field, quoted(text), capability.resolutions)
        case "aspect_ratio":
            return Violation(Code.UNSUPPORTED_ASPECT_RATIO, field, quoted(text), capability.aspect_ratios)
        case _:
            return Violation(Code.UNSUPPORTED_SIZE, field, quoted(text), sizes_supported(capability))


def _take_tier(capability: Capability, choice: SizeChoice, field: str, name: str) -> list[Violation]:
    if name not in capability.resolutions:
        nearest = nearest_tier(name, capability.resolutions)
        return [Violation(Code.UNSUPPORTED_RESOLUTION, field, name, capability.resolutions, nearest)]
    if in_no_tier(capability, choice):
        return [_contradiction(field, name, str(choice.size), "a size that is in no tier, or a tier: not both")]
    if choice.resolution is not None and choice.resolution != name:
        return [_contradiction(field, name, choice.size or choice.resolution, choice.resolution)]
    choice.resolution = name
    return []


def _take_ratio(capability: Capability, choice: SizeChoice, field: str, label: str) -> list[Violation]:
    if label not in capability.aspect_ratios:
        nearest = nearest_ratio(label, capability.aspect_ratios)
        supported = capability.aspect_ratios
        if field == "size":  # whoever writes a ratio there may be at a provider that takes pixels only
            supported = (*supported, *sizes_supported(capability))
        return [Violation(Code.UNSUPPORTED_ASPECT_RATIO, field, label, supported, nearest)]
    if choice.aspect_ratio is not None and choice.aspect_ratio != label:
        return [_contradiction(field, label, choice.size or choice.aspect_ratio, choice.aspect_ratio)]
    choice.aspect_ratio = label
    return []


def _take_pixels(capability: Capability, choice: SizeChoice, field: str, size: Pixels) -> list[Violation]:
    known = capability.listed(size)
    if known is not None:
        choice.size, choice.resolution = size, known[0] or None
        choice.aspect_ratio = known[1] if capability.aspect_ratios else None
        return []
    if capability.size_range is not None and capability.size_range.contains(size):
        return _take_free_size(capability, choice, field, size)
    nearest = nearest_size(size, capability)
    return [Violation(Code.UNSUPPORTED_SIZE, field, str(size), sizes_supported(capability), nearest)]


def _take_free_size(capability: Capability, choice: SizeChoice, field: str, size: Pixels) -> list[Violation]:
    """A free size must still have one of the ratios that are sold, if the model lists any."""
    value = Fraction(size.width, size.height)
    label = min(capability.aspect_ratios, key=lambda r: abs(value / ratio_value(r) - 1), default=None)
    if label is not None and abs(value / ratio_value(label) - 1) > RATIO_TOLERANCE:
        return [Violation(Code.UNSUPPORTED_ASPECT_RATIO, field, str(size), capability.aspect_ratios, label)]
    choice.size, choice.aspect_ratio = size, label
    return []


def _contradiction(field: str, asked: str, beside: Pixels | str, agreeing: str) -> Violation:
    """`agreeing` is what would go with the other word."""
    return Violation(Code.UNSUPPORTED_COMBINATION, field, f"{asked} beside {beside}", (agreeing,))


def _leave_open(capability: Capability, choice: SizeChoice, auto: set[str]) -> None:
    """`auto` outweighs a tier or a size beside it: a provider that follows it may make the dearest.

    Nothing said at all is the vendor's default, if that is known.
    """
    if "aspect_ratio" in auto:
        choice.aspect_ratio = None
    if auto & {"size", "resolution"} or (auto and choice.size is not None):
        choice.resolution = choice.size = None
    elif choice.resolution is None and choice.size is None:
        choice.resolution = capability.resolution_default


def in_no_tier(capability: Capability, choice: SizeChoice) -> bool:
    """A size of the caller's own belongs to no tier, unless there is only one."""
    return choice.size is not None and choice.resolution is None and len(capability.resolutions) > 1
