"""Every dialect by the name that config uses. Written by hand: what is not in this table does not exist."""

from gatekeeper.dialects import (
    ark,
    bfl,
    dashscope,
    fal,
    freepik,
    gemini,
    ideogram,
    kling,
    luma,
    minimax,
    native,
    openai,
    recraft,
    replicate,
    runway,
    topaz,
    xai,
)
from gatekeeper.dialects.base import Dialect

DIALECTS: dict[str, Dialect] = {
    "ark": ark,
    "bfl": bfl,
    "dashscope": dashscope,
    "fal": fal,
    "freepik": freepik,
    "gemini": gemini,
    "ideogram": ideogram,
    "kling": kling,
    "luma": luma,
    "minimax": minimax,
    "native": native,
    "openai": openai,
    "recraft": recraft,
    "replicate": replicate,
    "runway": runway,
    "topaz": topaz,
    "xai": xai,
}
