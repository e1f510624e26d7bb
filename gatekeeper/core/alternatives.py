"""What would be accepted instead: a few requests near the refused one, each with its exact price.

Near means that what was valid in the request stays as it was asked. The nearest few are listed cheapest first, so that
the first line is also the answer to "what can I still afford". Nothing here changes a request; it only names others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice, product
from typing import Final

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX
from gatekeeper.core.decide import Priced, SettingsKey, decide, may_be_remembered, settings_key
from gatekeeper.core.memo import Memo
from gatekeeper.core.nearest import nearest_number, nearest_size, times_larger
from gatekeeper.core.price import worth
from gatekeeper.core.rejection import Alternative, Code
from gatekeeper.core.request import GenerationRequest, ValidRequest
from gatekeeper.core.sizes import AUTO, Pixels, Ratio, Tier, ratio_value
from gatekeeper.core.spec import Audio, Capability, ModelSpec, scale_text

ALTERNATIVES_MAX = 5
"""More would be a catalog, and the catalog has a route of its own."""

RATIOS_TRIED_MAX = 3
"""The nearest few ratios are alternatives; the far ones are another picture."""


DURATIONS_TRIED_MAX = 3
"""So many lengths, spread over all, show what time costs."""

CHEAPER_REMEMBERED: Final = 2048
"""A team whose credits are spent asks for the same again and again. Ten kilobytes where a model has many settings."""

_Cheaper = tuple[tuple[Priced, int], ...]
"""What is no dearer than what was asked, each with what one output of it costs."""

_cheaper_found: Final = Memo[SettingsKey, tuple[ModelSpec, _Cheaper]](CHEAPER_REMEMBERED)


def alternatives(model: ModelSpec, request: GenerationRequest) -> tuple[Alternative, ...]:
    """Valid requests near this one, cheapest first, at most five. Empty when its operation is not the model's."""
    capability = model.capability(model.operation_meant(request))
    return () if capability is None else _listed(model, _near(model, capability, request))


def nearest_valid(model: ModelSpec, request: GenerationRequest) -> ValidRequest | None:
    """The nearest request that the model can do. None when its operation is not the model's, or what it lacks cannot be
    filled in."""
    capability = model.capability(model.operation_meant(request))
    if capability is None:
        return None
    if request.scale is not None:
        request = replace(request, scale=nearest_number(request.scale, capability.scales))
    found = next(_near(model, capability, request), None)
    return None if found is None else found.valid


def affordable(model: ModelSpec, request: GenerationRequest, credits_available: int) -> tuple[Alternative, ...]:
    """For a valid request that costs too much: as many outputs of it, of cheaper tiers and scales, as credits buy."""
    return _listed(model, _within(model, _no_dearer(model, request), credits_available))


def at_tiers(model: ModelSpec, request: GenerationRequest, tiers: Iterable[str]) -> tuple[Alternative, ...]:
    """A valid request once more at each of these tiers, as far as the model makes it there; cheapest first."""
    asked = decide(model, request)
    ratio = asked.valid.aspect_ratio if isinstance(asked, Priced) else request.aspect_ratio
    shaped = replace(request, size=None, aspect_ratio=ratio)
    return _listed(model, _valid(model, [replace(shaped, resolution=tier) for tier in tiers]))


def _no_dearer(model: ModelSpec, request: GenerationRequest) -> _Cheaper:
    """None of it depends on the credits there are, so it is worked out once. Empty for what is not valid."""
    key = settings_key(model, request)
    known = _cheaper_found.get(key)
    if known is not None:
        return known[1]
    capability, asked = model.capability(model.operation_meant(request)), decide(model, request)
    found: _Cheaper = ()
    if capability is not None and isinstance(asked, Priced):
        near = (asked, *_cheaper(model, capability, request, asked))
        found = tuple((each, worth(model, replace(each.valid, outputs=1)).credits) for each in near)
    if may_be_remembered(request):
        _cheaper_found.put(key, (model, found))
    return found


def _cheaper(model: ModelSpec, capability: Capability, request: GenerationRequest, priced: Priced) -> Iterator[Priced]:
    """What is cheaper for each output than what is asked: with one setting changed, then with more."""
    asked, dearest = priced.valid, priced.worth.credits
    shaped = replace(request, size=None, aspect_ratio=asked.aspect_ratio)
    tiers, shorter = capability.resolutions, _shorter(capability, asked)
    near = [replace(shaped, resolution=tier) for tier in tiers]
    near += [replace(request, scale=scale) for scale in capability.scales]
    near += [replace(request, quality=quality) for quality in capability.qualities]
    if asked.audio or asked.audio_open:
        near.append(replace(request, audio=False))
    near += [replace(request, duration_s=each, duration_auto=False) for each in shorter]
    if capability.durations:
        sounds = (request.audio, False)
        near += [
            replace(shaped, resolution=tier, audio=sound, duration_s=each, duration_auto=False)
            for tier, sound, each in product(tiers or (None,), sounds, shorter)
        ]
    yield from (each for each in _valid(model, near) if each.worth.credits < dearest)


def _shorter(capability: Capability, asked: ValidRequest) -> list[Fraction]:
    """A few lengths below the one that was asked, the longest first, down to the shortest there is."""
    longest = asked.duration_s or max(asked.durations_possible, default=Fraction(0))
    below = [each for each in reversed(capability.durations) if each < longest]
    step = max(-(-len(below) // DURATIONS_TRIED_MAX), 1)
    return list(dict.fromkeys([*below[::step], *below[-1:]]))


def _within(model: ModelSpec, found: _Cheaper, credits_available: int) -> Iterator[Priced]:
    for each, one in found:
        if one > credits_available:
            continue
        outputs = min(each.valid.outputs, credits_available // one) if one else each.valid.outputs
        if outputs == each.valid.outputs:
            yield each
        else:
            fewer = replace(each.valid, outputs=outputs)
            yield Priced(fewer, worth(model, fewer))


def _listed(model: ModelSpec, found: Iterable[Priced]) -> tuple[Alternative, ...]:
    described = (_describe(model, each) for each in found if each.worth.credits <= AMOUNT_MICROCREDITS_MAX)
    return tuple(sorted(islice(_each_once(described), ALTERNATIVES_MAX), key=lambda each: each.credits))


def _each_once(found: Iterable[Alternative]) -> Iterator[Alternative]:
    seen = set[Alternative]()
    for each in found:
        if each not in seen:
            seen.add(each)
            yield each


def _valid(model: ModelSpec, requests: Iterable[GenerationRequest]) -> Iterator[Priced]:
    return (each for each in (decide(model, request) for request in requests) if isinstance(each, Priced))


def _near(model: ModelSpec, capability: Capability, request: GenerationRequest) -> Iterator[Priced]:
    """Every asked setting that is valid is kept; the others run through what is allowed, nearest first."""
    quality_fits = request.quality in capability.qualities or (request.quality or "").lower() == AUTO
    base = replace(
        request,
        outputs=None if request.outputs is None else min(max(request.outputs, 1), capability.outputs_max),
        quality=request.quality if capability.qualities and quality_fits else None,
        prompt_length=max(request.prompt_length or 1, 1),
    )
    scales = (request.scale,) if request.scale in capability.scales else capability.scales or (None,)
    apart = _not_together(model, request)
    times = product(scales, _lengths(capability, request, apart), _sounds(capability, request, apart))
    for scale, duration_s, audio in times:
        yield from _sized(model, capability, replace(base, scale=scale, duration_s=duration_s, audio=audio))


def _not_together(model: ModelSpec, request: GenerationRequest) -> bool:
    """Whether each setting is valid by itself, so that any of them may have to give way."""
    found = decide(model, request)
    return not isinstance(found, Priced) and any(v.code is Code.UNSUPPORTED_COMBINATION for v in found)


def _lengths(capability: Capability, request: GenerationRequest, apart: bool) -> Sequence[Fraction | None]:
    """As asked if that is valid; else, and if it does not go with the rest, the nearest few."""
    asked = request.duration_s
    if asked is None or not capability.durations:
        return (None,)
    near = sorted(capability.durations, key=lambda each: (abs(each - asked), each))[:DURATIONS_TRIED_MAX]
    return (asked,) if asked in capability.durations and not apart else near


def _sounds(capability: Capability, request: GenerationRequest, apart: bool) -> Sequence[bool | None]:
    if request.audio is None or capability.audio is not Audio.OPTIONAL:
        return (None,)
    return (request.audio, not request.audio) if apart else (request.audio,)


def _sized(model: ModelSpec, capability: Capability, request: GenerationRequest) -> Iterator[Priced]:
    """As it is if its words about size are valid, else the nearest group of sizes in which something is."""
    tiers, ratios = _tiers(capability, request), _ratios(capability, request)
    near = _ratios_near(capability, request)
    bare = replace(request, size=None, resolution=None, aspect_ratio=None)
    for group in (
        [request],
        _at(bare, tiers or capability.resolutions, ratios or near),
        _at(bare, tiers, near) + _at(bare, capability.resolutions, ratios),
        [replace(bare, size=size) for size in _sizes_near(capability, request)],
        [bare],
    ):
        found = list(_valid(model, group))
        if found:
            yield from found
            return


def _at(bare: GenerationRequest, tiers: Sequence[str], ratios: Sequence[str]) -> list[GenerationRequest]:
    """Every pair of these; where there is only one kind the other stays open, and nothing is named by neither."""
    pairs = product(ratios or (None,), tiers or (None,)) if tiers or ratios else ()
    return [replace(bare, resolution=tier, aspect_ratio=ratio) for ratio, tier in pairs]


def _tiers(capability: Capability, request: GenerationRequest) -> tuple[str, ...]:
    """The tiers that the request names, by word or by pixels, and the model has."""
    named = [m.name for _, m in request.sizes_asked() if isinstance(m, Tier)]
    named += [pair[0] for _, m in request.sizes_asked() if isinstance(m, Pixels) and (pair := capability.listed(m))]
    return tuple(dict.fromkeys(name for name in named if name in capability.resolutions))


def _ratios(capability: Capability, request: GenerationRequest) -> tuple[str, ...]:
    """The ratios that the request names, by word or by pixels, and the model has."""
    named = [m.label for _, m in request.sizes_asked() if isinstance(m, Ratio)]
    named += [pair[1] for _, m in request.sizes_asked() if isinstance(m, Pixels) and (pair := capability.listed(m))]
    return tuple(dict.fromkeys(label for label in named if label in capability.aspect_ratios))


def _ratios_near(capability: Capability, request: GenerationRequest) -> list[str]:
    """The nearest few to the shape that was asked; none if no shape was."""
    wanted = next((_shape(m) for _, m in request.sizes_asked() if isinstance(m, Ratio | Pixels)), None)
    if wanted is None:
        return []
    distinct = dict.fromkeys(capability.aspect_ratios)
    return sorted(distinct, key=lambda label: times_larger(ratio_value(label), wanted))[:RATIOS_TRIED_MAX]


def _sizes_near(capability: Capability, request: GenerationRequest) -> list[str]:
    found = (nearest_size(m, capability) for _, m in request.sizes_asked() if isinstance(m, Pixels))
    return [size for size in found if size is not None]


def _shape(meaning: Ratio | Pixels) -> Fraction:
    return ratio_value(meaning.label) if isinstance(meaning, Ratio) else Fraction(meaning.width, meaning.height)


def _describe(model: ModelSpec, priced: Priced) -> Alternative:
    valid = priced.valid
    capability = model.capability(valid.operation)
    sounds_chosen = capability is not None and capability.audio is Audio.OPTIONAL
    left_open = AUTO if valid.resolutions_possible and valid.size is None else None
    return Alternative(
        credits=priced.worth.credits,
        resolution=valid.resolution or left_open,
        aspect_ratio=valid.aspect_ratio,
        size=str(valid.size) if valid.size else None,
        scale=scale_text(valid.scale) if valid.scale is not None else None,
        outputs=valid.outputs if valid.outputs > 1 else None,
        duration_s=valid.duration_s,
        audio=valid.audio if sounds_chosen and not valid.audio_open else None,
        quality=valid.quality,
    )
