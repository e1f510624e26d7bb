"""The wire formats the sandbox speaks, one file each. To add one: write the file, and name its `DIALECT` here."""

from gatekeeper.sandbox.call import Dialect
from gatekeeper.sandbox.dialects import bfl, fal, native, openai, replicate

DIALECTS: tuple[Dialect, ...] = (openai.DIALECT, native.DIALECT, bfl.DIALECT, fal.DIALECT, replicate.DIALECT)
