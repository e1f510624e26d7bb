"""Every dialect by the name that config uses. Written by hand: what is not in this table does not exist."""

from gatekeeper.dialects import ark, bfl, dashscope, fal, gemini, kling, minimax, native, openai, replicate
from gatekeeper.dialects.base import Dialect

DIALECTS: dict[str, Dialect] = {
    "ark": ark,
    "bfl": bfl,
    "dashscope": dashscope,
    "fal": fal,
    "gemini": gemini,
    "kling": kling,
    "minimax": minimax,
    "native": native,
    "openai": openai,
    "replicate": replicate,
}
