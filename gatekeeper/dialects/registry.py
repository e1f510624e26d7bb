"""Every dialect by the name that config uses. Written by hand: what is not in this table does not exist."""

from gatekeeper.dialects import gemini, native, openai, xai
from gatekeeper.dialects.base import Dialect

DIALECTS: dict[str, Dialect] = {
    "gemini": gemini,
    "native": native,
    "openai": openai,
    "xai": xai,
}
