"""Whether the settings of a request are sold together, and which of those left open still can come out.

Each setting by itself is valid when it gets here. What is wrong is told about the one setting that could be changed to
make the rest possible: the length before the sound, and both before the size.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from gatekeeper.core.lasting import durations_text
from gatekeeper.core.nearest import nearest_number, nearest_ratio, nearest_tier
from gatekeeper.core.rejection import Code, Violation, number_text
from gatekeeper.core.sizing import SizeChoice, in_no_tier
from gatekeeper.core.spec import Capability


@dataclass(frozen=True, slots=True)
class _Open:
    """What may come out, setting by setting: "" and None stand for one that the model does not have or that is open."""

    tiers: tuple[str, ...]
    ratios: tuple[str | None, ...]
    durations: tuple[Fraction | None, ...]
    sounds: tuple[bool, ...]

    def sold(self, capability: Capability) -> bool:
        """Whether any of it is sold together."""
        return any(
            capability.sells(tier, ratio, duration_s, sound)
            for tier in self.tiers
            for duration_s in self.durations
            for sound in self.sounds
            for ratio in self.ratios
        )


def keep_sold(
    capability: Capability, choice: SizeChoice, durations: tuple[Fraction, ...], sounds: tuple[bool, ...]
) -> tuple[tuple[Fraction, ...], tuple[bool, ...], list[Violation]]:
    """The durations and sounds that are left; narrows the choice of size to what is sold with them."""
    tiers = (choice.resolution,) if choice.resolution else capability.resolutions
    if capability.not_sold:
        ratios = (choice.aspect_ratio,) if choice.aspect_ratio else capability.aspect_ratios or (None,)
        left = _Open(tiers or ("",), ratios, durations or (None,), sounds)
        if not left.sold(capability):
            return durations, sounds, [_not_sold(capability, left, choice)]
        tiers = tuple(t for t in left.tiers if replace(left, tiers=(t,)).sold(capability))
        durations = tuple(d for d in durations if replace(left, durations=(d,)).sold(capability))
        sounds = tuple(s for s in sounds if replace(left, sounds=(s,)).sold(capability))
    if len(tiers) == 1 and not in_no_tier(capability, choice):
        choice.resolution = tiers[0] or None
    elif tiers:
        choice.resolutions_possible = tiers
    return durations, sounds, []


def _not_sold(capability: Capability, left: _Open, choice: SizeChoice) -> Violation:
    """About the first setting which, if it were free, would let the others be."""
    durations = _sold_alone(capability, (replace(left, durations=(d,)) for d in capability.durations))
    if durations:
        lengths = [each.durations[0] or Fraction(0) for each in durations]
        asked, words = left.durations[0] or Fraction(0), _beside(choice)
        nearest = nearest_number(asked, lengths)
        return Violation(
            Code.UNSUPPORTED_COMBINATION,
            "duration_s",
            f"{number_text(asked)} s{words}",
            durations_text(lengths),
            None if nearest is None else number_text(nearest),
        )
    sounds = _sold_alone(capability, (replace(left, sounds=(s,)) for s in capability.sounds))
    if sounds:
        named = str(sounds[0].sounds[0]).lower()
        asked_sound = "with audio" if left.sounds[0] else "without audio"
        return Violation(Code.UNSUPPORTED_COMBINATION, "audio", f"{asked_sound}{_beside(choice)}", (named,), named)
    return _size_not_sold(capability, left, choice)


def _sold_alone(capability: Capability, candidates: Iterable[_Open]) -> list[_Open]:
    return [each for each in candidates if each.sold(capability)]


def _beside(choice: SizeChoice) -> str:
    words = " ".join(word for word in (choice.resolution, choice.aspect_ratio) if word)
    return f" at {words}" if words else ""


def _size_not_sold(capability: Capability, left: _Open, choice: SizeChoice) -> Violation:
    """A tier and a ratio that do not go together, or with a length."""
    pairs = [(t, r) for t in capability.resolutions or ("",) for r in capability.aspect_ratios or ("",)]
    sold = [(t, r) for t, r in pairs if replace(left, tiers=(t,), ratios=(r or None,)).sold(capability)]
    asked = f"{choice.resolution or 'any resolution'} {choice.aspect_ratio or 'any aspect ratio'}"
    supported = tuple(f"{t} {r}".strip() for t, r in sold)
    nearest = _nearest_sold(sold, choice.resolution, choice.aspect_ratio)
    return Violation(Code.UNSUPPORTED_COMBINATION, "resolution", asked, supported, nearest)


def _nearest_sold(sold: list[tuple[str, str]], tier: str | None, ratio: str | None) -> str | None:
    """The same shape at another tier is nearer than another shape."""
    if tier and (found := nearest_tier(tier, [t for t, r in sold if r == (ratio or r)])):
        return next(f"{t} {r}".strip() for t, r in sold if t == found and r == (ratio or r))
    if ratio and (found := nearest_ratio(ratio, [r for t, r in sold if t == tier])):
        return f"{tier} {found}"
    return None
