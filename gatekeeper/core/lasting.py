"""How long an output lasts and whether it has sound: what a caller's words come to at one model, or what is wrong.

Nothing said is the vendor's default if that is known, else everything that may come out is kept, so that the dearest
can be held. Seconds are exact: a 2.5 is a 2.5.
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from gatekeeper.core.nearest import nearest_number
from gatekeeper.core.rejection import Code, Violation, number_text
from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.spec import Audio, Capability

DURATIONS_LISTED_MAX = 6
"""More than so many in even steps are told as a range: nobody reads fifteen numbers."""


def choose_duration(capability: Capability, request: GenerationRequest) -> tuple[tuple[Fraction, ...], list[Violation]]:
    """The durations that may come out, the shortest first; none for a picture."""
    asked = request.duration_s
    if request.duration_auto or asked is None:
        default = None if request.duration_auto else capability.duration_default
        possible = capability.durations if default is None else (default,)
        return possible, []
    if asked in capability.durations:
        return (asked,), []
    nearest = nearest_number(asked, capability.durations)
    named = None if nearest is None else number_text(nearest)
    supported = durations_text(capability.durations)
    return (), [Violation(Code.UNSUPPORTED_DURATION, "duration_s", number_text(asked), supported, named)]


def choose_sound(capability: Capability, request: GenerationRequest) -> tuple[tuple[bool, ...], list[Violation]]:
    """With sound, without, or both if it is not known which will come out."""
    if request.audio and capability.audio is Audio.NONE:
        return (), [Violation(Code.UNSUPPORTED_AUDIO, "audio", "true", ("false",), "false")]
    if request.audio is False and capability.audio is Audio.ALWAYS:
        return (), [Violation(Code.UNSUPPORTED_AUDIO, "audio", "false", ("true",), "true")]
    said = request.audio if request.audio is not None else capability.audio_default
    if said is None or capability.audio is not Audio.OPTIONAL:
        return capability.sounds, []
    return (said,), []


def durations_text(durations: Sequence[Fraction]) -> tuple[str, ...]:
    """What is allowed, for a refusal: each one, or the range that many of them make."""
    steps = {after - before for before, after in pairwise(durations)}
    if len(durations) <= DURATIONS_LISTED_MAX or len(steps) > 1:
        return tuple(number_text(each) for each in durations)
    step = "" if steps == {1} else f" in steps of {number_text(steps.pop())}"
    return (f"{number_text(durations[0])} to {number_text(durations[-1])}{step}",)
