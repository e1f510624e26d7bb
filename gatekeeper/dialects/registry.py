"""Every dialect by the name that config uses. Written by hand: what is not in this table does not exist."""

from gatekeeper.dialects import ark, dashscope, kling, minimax, native, openai
from gatekeeper.dialects.base import Dialect

DIALECTS: dict[str, Dialect] = {
    "ark": ark,
    "dashscope": dashscope,
    "kling": kling,
    "minimax": minimax,
    "native": native,
    "openai": openai,
}
