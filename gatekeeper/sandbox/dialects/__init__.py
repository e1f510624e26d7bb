"""The wire formats the sandbox speaks, one file each. To add one: write the file, and name its `DIALECT` here."""

from gatekeeper.sandbox.call import Dialect
from gatekeeper.sandbox.dialects import freepik, ideogram, luma, native, openai, recraft, runway, topaz

DIALECTS: tuple[Dialect, ...] = (
    openai.DIALECT,
    native.DIALECT,
    freepik.DIALECT,
    ideogram.DIALECT,
    luma.DIALECT,
    recraft.DIALECT,
    runway.DIALECT,
    topaz.DIALECT,
)
