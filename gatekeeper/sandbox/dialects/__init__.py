"""The wire formats the sandbox speaks, one file each. To add one: write the file, and name its `DIALECT` here."""

from gatekeeper.sandbox.call import Dialect
from gatekeeper.sandbox.dialects import ark, dashscope, kling, minimax, native, openai

DIALECTS: tuple[Dialect, ...] = (
    openai.DIALECT,
    native.DIALECT,
    ark.DIALECT,
    dashscope.DIALECT,
    kling.DIALECT,
    minimax.DIALECT,
)
