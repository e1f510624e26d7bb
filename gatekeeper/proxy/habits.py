"""What a request has of a habit that costs credits: sound that nobody asked for, the same request again, the same
prompt again at a high resolution. Its traits go to the usage with its hold; `gatekeeper/signals/` judges them.

Known in this process alone. A habit that is spread over several gateways, or over a restart, is seen in part: fewer
traits, never wrong ones. Refuses nothing.
"""

from gatekeeper.core.decide import settings_of
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
    request, valid = _request_name(call, admission, once), admission.valid
    prompt = 0 if valid.resolution is None else _prompt_name(call, admission, valid.resolution)
    traits: tuple[str, ...] = ()
    if (valid.audio or valid.audio_open) and _is_unasked_sound(admission):
        traits = (AUDIO,)
    if known.is_retry(request, now_s) or _tries(call) > 0:
        traits += (RETRY,)
    if prompt and known.is_repeated(prompt, now_s):
        traits += (REPEATED,)
    return Habit(traits, request, prompt)


def _request_name(call: Call, admission: Admission, once: Once) -> int:
    """By what was taken of it to know it again, if it was; else by its prompt and all that is read of its settings."""
    facts, digest = call.trace.facts, admission.asked.prompt_digest
    print_ = once.fingerprint or once.name
    if print_:
        return hash((facts.team, facts.project, facts.member, facts.key_id, print_))
    if digest is None:
        return 0
    asked = admission.asked
    settings = asked.settings or settings_of(asked)
    return hash((facts.team, facts.project, facts.member, facts.key_id, digest, facts.provider, asked.model, settings))


def _prompt_name(call: Call, admission: Admission, resolution: str) -> int:
    """A prompt at a high resolution of the project's; 0 for any other."""
    facts, digest = call.trace.facts, admission.asked.prompt_digest
    if digest is None or not is_high(_project(call) if call.caller.team.projects else None, resolution):
        return 0
    return hash((facts.team, facts.project, digest))


def _project(call: Call) -> Project | None:
    own = call.trace.facts.project
    return next((each for each in call.caller.team.projects if each.id == own), None)


def _is_unasked_sound(admission: Admission) -> bool:
    """Of a request with sound: whether the caller said nothing about it, of a model that could do without. What is left
    open counts: as nobody knows, it is held, and charged unless the answer tells, with sound."""
    asked = admission.asked
    if asked.audio is not None and not asked.audio_unsaid:
        return False
    capability = admission.model.capability(admission.valid.operation)
    return capability is not None and capability.audio is Audio.OPTIONAL


def _tries(call: Call) -> int:
    """How often an SDK says that it has sent this before."""
    said = call.request.headers.get(RETRY_COUNT, "0")
    return int(said) if said != "0" and said.isascii() and said.isdecimal() and len(said) <= 4 else 0
