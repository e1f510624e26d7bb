"""Tells a team the secret with which its webhooks are signed, at the gateway's own address and at Replicate's."""

from aiohttp import web

from gatekeeper.dialects.base import Dialect
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.webhooks.keys import team_secret
from gatekeeper.web.answers import json_answer

SECRET_PATH = "/v1/webhooks/default/secret"  # noqa: S105  # where Replicate has it, and its SDK looks for it


def asks_for_secret(dialect: Dialect, method: str, path: str) -> bool:
    """Whether this is Replicate's own question for it. The answer is ours: theirs signs what comes to us."""
    trait = dialect.TRAITS.webhook
    asked = method == "GET" and path in {SECRET_PATH, SECRET_PATH.removeprefix("/v1")}
    return asked and trait is not None and trait.signature == "standard"


async def answer_secret(gate: Gate, call: Call) -> web.Response:
    """`GET /v1/webhooks/default/secret`."""
    return json_answer({"key": team_secret(gate.webhooks.secret, call.caller.team.id)}, call.request_id)
