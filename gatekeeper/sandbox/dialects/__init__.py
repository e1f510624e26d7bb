"""The wire formats the sandbox speaks, one file each. To add one: write the file, and name its `DIALECT` here."""

from gatekeeper.sandbox.call import Dialect
from gatekeeper.sandbox.dialects import (
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

DIALECTS: tuple[Dialect, ...] = (
    openai.DIALECT,
    ark.DIALECT,
    bfl.DIALECT,
    dashscope.DIALECT,
    fal.DIALECT,
    freepik.DIALECT,
    gemini.DIALECT,
    ideogram.DIALECT,
    kling.DIALECT,
    luma.DIALECT,
    minimax.DIALECT,
    native.DIALECT,
    recraft.DIALECT,
    replicate.DIALECT,
    runway.DIALECT,
    topaz.DIALECT,
    xai.DIALECT,
)
