"""How a decision ended, as whoever did the work tells it: what was made, what it cost, or that nothing came of it.

Read as strictly as a request: what cannot be understood is refused, and nothing is booked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Final

from gatekeeper.core.credits import MICRO, credits_text
from gatekeeper.core.outcome import Failed, Made
from gatekeeper.core.rejection import Code, refuse
from gatekeeper.core.sizes import Pixels, Tier, read_size
from gatekeeper.dialects.answers import read_pixels
from gatekeeper.dialects.complaints import VIOLATIONS_MAX
from gatekeeper.dialects.fields import JsonFields, read_json
from gatekeeper.dialects.native import DURATION_MAX_S, nearest_name
from gatekeeper.logs import one_word
from gatekeeper.proxy.decisions.asking import check_json
from gatekeeper.proxy.jobs.record import JobRecord

OUTPUTS_MAX: Final = 1000
"""More than any model makes at once; a larger number is a mistake."""

TOKENS_MAX: Final = 10**12
"""More than any provider bills for one request."""

MADE_FIELDS: Final = ("outputs", "duration_s", "resolution", "audio", "quality", "tokens")
"""What may be told of what was made; what is not told is as it was asked for."""

SETTLE_FIELDS: Final = (*MADE_FIELDS, "credits")
"""Every field of a settle."""


@dataclass(frozen=True, slots=True)
class Stated:
    """The caller says what it cost, in micro-credits: above 0, at most what is held."""

    amount: int


def read_settle(content_type: str, body: Sequence[bytes], record: JobRecord) -> Made | Failed | Stated:
    """The body of a settle; none, or `{}`, says that all was made as it was asked for. Raises `Rejected`."""
    if not any(body):
        return Made(record.valid.outputs)
    check_json(content_type)
    fields = read_json(body)
    _note_unknown(fields, SETTLE_FIELDS)
    stated = _read_credits(fields, record.held)
    made = _read_made(fields, record.valid.outputs)
    if fields.given("credits") and any(fields.given(name) for name in MADE_FIELDS):
        fields.wrong("credits", "either credits, or what was made")
    fields.finish()
    if stated is not None:
        return Stated(stated) if stated else Failed("settled at nothing")
    return made if made.outputs else Failed("no output")


def read_release(content_type: str, body: Sequence[bytes]) -> Failed:
    """The body of a release: none, or `{"why": "..."}`. Raises `Rejected`."""
    if not any(body):
        return Failed("released")
    check_json(content_type)
    fields = read_json(body)
    _note_unknown(fields, ("why",))
    why = fields.text("why")
    fields.finish()
    return Failed(f"released: {one_word(why)}" if why else "released")


def _note_unknown(fields: JsonFields, known: Sequence[str]) -> None:
    for name in islice((name for name in fields.names() if name not in known), VIOLATIONS_MAX):
        fields.complaints.unknown(name, known, nearest_name(name, known))


def _read_credits(fields: JsonFields, held: int) -> int | None:
    given = fields.quantity("credits", "")
    if given is None:
        return None
    amount = given * MICRO
    if amount.denominator != 1:
        fields.wrong("credits", "a number with at most 6 decimals")
        return None
    if amount > held:
        detail = (
            f"credits: {credits_text(held)} are held, and no more can be stated. Say what was made instead: the "
            "model's own rule decides about what is beyond the hold."
        )
        raise refuse(Code.MALFORMED_REQUEST, detail)
    return int(amount)


def _read_made(fields: JsonFields, outputs_asked: int) -> Made:
    outputs = outputs_asked
    pixels: tuple[Pixels | None, ...] = ()
    if fields.holds_list("outputs"):
        each = fields.objects("outputs", "a number, or a list of objects")
        pixels = tuple(read_pixels(output.whole("width"), output.whole("height")) for output in each)
        outputs = len(each)
    elif (count := fields.whole("outputs")) is not None:
        outputs = count
    if not 0 <= outputs <= OUTPUTS_MAX:
        fields.wrong("outputs", f"0 to {OUTPUTS_MAX}")
    tokens = fields.whole("tokens")
    if tokens is not None and not 0 <= tokens <= TOKENS_MAX:
        fields.wrong("tokens", f"0 to {TOKENS_MAX}")
    return Made(
        outputs,
        pixels,
        quality=fields.text("quality"),
        duration_s=_read_duration(fields),
        resolution=_read_tier(fields),
        audio=fields.flag("audio"),
        tokens=tokens,
    )


def _read_duration(fields: JsonFields) -> Fraction | None:
    seconds = fields.quantity("duration_s", "s")
    if seconds is not None and not 0 < seconds <= DURATION_MAX_S:
        fields.wrong("duration_s", f"more than 0 and at most {DURATION_MAX_S} seconds")
    return seconds


def _read_tier(fields: JsonFields) -> str | None:
    text = fields.text("resolution")
    if text is None:
        return None
    meaning = read_size(text)
    if not isinstance(meaning, Tier):
        fields.wrong("resolution", "a resolution such as 2K or 768P")
        return None
    return meaning.name
