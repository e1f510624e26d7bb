"""What a model makes of a request, with its worth, or what is wrong with it: validated and priced once, then known.

Callers ask for the same few settings again and again, and only their prompts differ. So a decision is remembered by
the model and the settings alone: no prompt, digest or source of a job is in a key, and of a prompt's length only
whether there is one. It is always what `validate` and `worth` would say; nothing is decided here.
"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from gatekeeper.core.memo import Memo
from gatekeeper.core.price import Quote, worth
from gatekeeper.core.rejection import Violation
from gatekeeper.core.request import GenerationRequest, Settings, ValidRequest
from gatekeeper.core.sizes import TEXT_LENGTH_MAX
from gatekeeper.core.spec import ModelSpec
from gatekeeper.core.validate import validate

DECISIONS_REMEMBERED: Final = 16_384
"""At about a kilobyte each 16 MB. A few hundred cover a day's requests to thirty models, and a large catalog's busiest
thousand models have room."""

SETTINGS: Final = (
    "operation",
    "resolution",
    "aspect_ratio",
    "size",
    "outputs",
    "duration_s",
    "audio",
    "scale",
    "input_pixels",
    "quality",
    "enhance_prompt",
    "duration_auto",
    "reference_images",
    "input_video",
)
"""All that a decision follows from, beside the model and whether there is a prompt."""

SettingsKey = tuple[int, Settings]
"""A model, by its identity, and what is asked of it, for a memo whose values keep that very model alive."""

_said = attrgetter("prompt_length", *SETTINGS)


@dataclass(frozen=True, slots=True)
class Priced:
    """A valid request and what it is worth, without a bound on the amount."""

    valid: ValidRequest
    worth: Quote


Decision = Priced | tuple[Violation, ...]

_decisions: Final = Memo[SettingsKey, tuple[ModelSpec, Decision]](DECISIONS_REMEMBERED)


def decide(model: ModelSpec, request: GenerationRequest) -> Decision:
    """The request with defaults filled and its worth, or all that is wrong with it. Never raises."""
    key = settings_key(model, request)
    known = _decisions.get(key)
    if known is not None:
        return known[1]
    valid = validate(model, request)
    decision = Priced(valid, worth(model, valid)) if isinstance(valid, ValidRequest) else valid
    if may_be_remembered(request):
        _decisions.put(key, (model, decision))
    return decision


def settings_key(model: ModelSpec, request: GenerationRequest) -> SettingsKey:
    """What tells two questions about one model apart. The model itself is too large to be compared; its identity is
    its own for as long as whoever remembers something under this key remembers the model too."""
    return id(model), request.settings or settings_of(request)


def settings_of(request: GenerationRequest) -> Settings:
    """The request as far as a decision follows from it. It is made once, and whoever makes the same request again and
    again may hand it on: to find it among others is then to see that it is itself."""
    known = request.settings
    if known is None:
        prompt_length, *said = _said(request)
        known = request.settings = ((prompt_length or 0) > 0, *said)
    return known


def may_be_remembered(request: GenerationRequest) -> bool:
    """Not where a setting is longer than any spelling in use: that may be any text, put into the wrong field."""
    words = (request.size, request.resolution, request.aspect_ratio, request.quality)
    return all(word is None or len(word) <= TEXT_LENGTH_MAX for word in words)
