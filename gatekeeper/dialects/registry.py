"""Every dialect by the name that config uses. Written by hand: what is not in this table does not exist."""

from gatekeeper.dialects import freepik, ideogram, luma, native, openai, recraft, runway, topaz
from gatekeeper.dialects.base import Dialect

DIALECTS: dict[str, Dialect] = {
    "freepik": freepik,
    "ideogram": ideogram,
    "luma": luma,
    "native": native,
    "openai": openai,
    "recraft": recraft,
    "runway": runway,
    "topaz": topaz,
}
