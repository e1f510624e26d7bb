"""Every dialect by the name that config uses. Written by hand: what is not in this table does not exist."""

from gatekeeper.dialects import bfl, fal, gemini, native, openai, replicate
from gatekeeper.dialects.base import Dialect

DIALECTS: dict[str, Dialect] = {
    "bfl": bfl,
    "fal": fal,
    "gemini": gemini,
    "native": native,
    "openai": openai,
    "replicate": replicate,
}
