"""What a request has of a habit that costs credits: sound that nobody asked for, the same request again, the same
prompt again at a high resolution. Its traits go to the usage with its hold; `gatekeeper/signals/` judges them.

Known in this process alone. A habit that is spread over several gateways, or over a restart, is seen in part: fewer
traits, never wrong ones. Refuses nothing.
"""

from operator import attrgetter
from typing import Final

from gatekeeper.core.spec import Audio
from gatekeeper.ledger.teamrecord import Project
from gatekeeper.proxy.admission import Admission
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.once import RETRY_COUNT, Once
from gatekeeper.proxy.remembering import Habit
from gatekeeper.signals.diagnoses import AUDIO, REPEATED, RETRY
from gatekeeper.signals.shape import is_high


def habit_of(gate: Gate, call: Call, admission: Admission, once: Once) -> Habit:
    """The traits of a request that is about to be held. Remembers nothing: it may yet be refused."""
    now_s, known = gate.clock.monotonic_s(), gate.habits
    request, prompt = _request_name(call, admission, once), _prompt_name(call, admission)
    traits: tuple[str, ...] = (AUDIO,) if _is_unasked_sound(admission) else ()
    if _tries(call) > 0 or known.is_retry(request, now_s):
        traits += (RETRY,)
    if known.is_repeated(prompt, now_s):
        traits += (REPEATED,)
    return Habit(traits, request, prompt)


def _request_name(call: Call, admission: Admission, once: Once) -> int:
    """By its fingerprint if it was taken; else by its prompt and all that is read of its settings."""
    facts, digest = call.facts, admission.asked.prompt_digest
    if once.fingerprint:
        return hash((facts.team, facts.project, facts.member, facts.key_id, once.fingerprint))
    if digest is None:
        return 0
    settings = _settings(admission.asked)
    return hash((facts.team, facts.project, facts.member, facts.key_id, digest, facts.provider, settings))


_settings: Final = attrgetter(
    "model", "operation", "resolution", "aspect_ratio", "size", "outputs", "duration_s", "audio", "scale", "quality",
    "reference_images",
)  # fmt: skip


def _prompt_name(call: Call, admission: Admission) -> int:
    """A prompt at a high resolution of the project's; 0 for any other."""
    facts, resolution, digest = call.facts, admission.valid.resolution, admission.asked.prompt_digest
    if digest is None or resolution is None or not is_high(_project(call), resolution):
        return 0
    return hash((facts.team, facts.project, digest))


def _project(call: Call) -> Project | None:
    projects = call.caller.team.projects
    return next((each for each in projects if each.id == call.facts.project), None) if projects else None


def _is_unasked_sound(admission: Admission) -> bool:
    """Sound that the caller said nothing about, of a model that could do without. What is left open counts: as nobody
    knows, it is held, and charged unless the answer tells, with sound."""
    asked, valid = admission.asked, admission.valid
    is_said = asked.audio is not None and not asked.audio_unsaid
    if is_said or not (valid.audio or valid.audio_open):
        return False
    capability = admission.model.capability(valid.operation)
    return capability is not None and capability.audio is Audio.OPTIONAL


def _tries(call: Call) -> int:
    """How often an SDK says that it has sent this before."""
    said = call.request.headers.get(RETRY_COUNT)
    return int(said) if said and said.isascii() and said.isdecimal() and len(said) <= 4 else 0
