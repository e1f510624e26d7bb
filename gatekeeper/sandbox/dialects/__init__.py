"""The wire formats the sandbox speaks, one file each. To add one: write the file, and name its `DIALECT` here."""

from gatekeeper.sandbox.call import Dialect
from gatekeeper.sandbox.dialects import (
    ark,
    bfl,
    dashscope,
    fal,
    freepik,
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
)

DIALECTS: tuple[Dialect, ...] = (
    openai.DIALECT,
    ark.DIALECT,
    bfl.DIALECT,
    dashscope.DIALECT,
    fal.DIALECT,
    freepik.DIALECT,
    ideogram.DIALECT,
    kling.DIALECT,
    luma.DIALECT,
    minimax.DIALECT,
    native.DIALECT,
    recraft.DIALECT,
    replicate.DIALECT,
    runway.DIALECT,
    topaz.DIALECT,
)
