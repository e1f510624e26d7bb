"""A middleware for FastAPI, Starlette and every other ASGI application.

    app.add_middleware(GateMiddleware, gateway="http://127.0.0.1:8080", paths={"/images": {"model": "nano-banana-2"}})

The end is told before the last piece of the answer leaves, so that whoever has it all has paid for it. A client that
leaves changes nothing: what the endpoint makes of it is told as ever.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from gatekeeper.middleware.client import Decision, Refusal
from gatekeeper.middleware.gating import ANSWER_BYTES_MAX, BODY_BYTES_MAX, Gating, Rules, refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class GateMiddleware:
    """Gates the endpoints in `paths`; further words are those of `Rules`."""

    def __init__(self, app: App, *, gateway: str, paths: Mapping[str, Mapping[str, Any]], **rules: Any) -> None:
        self._app = app
        self._gating = Gating(gateway, Rules(paths=paths, **rules))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._closing(send))
            return
        fixed = None
        if scope["type"] == "http":
            fixed = self._gating.rules.fixed_for(scope["method"], scope["path"], scope.get("root_path", ""))
        if fixed is None:
            await self._app(scope, receive, send)
        else:
            await self._gate(fixed, scope, receive, send)

    async def _gate(
        self, fixed: Mapping[str, Any], scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        body = await _read(receive)
        if body is None:
            return
        if len(body) > BODY_BYTES_MAX:
            await _refuse(send, refusal(413, "payload_too_large", "The body is too large."))
            return
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        admitted = await self._gating.admit(fixed, headers, body)
        if isinstance(admitted, Refusal):
            await _refuse(send, admitted)
            return
        await self._serve(admitted, scope, _again(body, receive), send)

    async def _serve(self, decision: Decision, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        watched = _Watched(self._gating, decision, send)
        try:
            await self._app(scope, receive, watched.send)
        except asyncio.CancelledError:
            raise  # nobody can tell what was made: time ends the hold
        except BaseException:
            await watched.broke_off()
            raise
        await watched.broke_off()

    def _closing(self, send: Send) -> Send:
        async def closing(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                await self._gating.close()
            await send(message)

        return closing


class _Watched:
    """Looks at an answer while it passes, and tells its end once."""

    def __init__(self, gating: Gating, decision: Decision, send: Send) -> None:
        self._gating = gating
        self._decision = decision
        self._send = send
        self._status: int | None = None
        self._told = False
        self._is_json = False
        self._answer = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = message.get("headers", ())
            self._is_json = any(n.lower() == b"content-type" and b"json" in v.lower() for n, v in headers)
        elif message["type"] == "http.response.body":
            if len(self._answer) <= ANSWER_BYTES_MAX:
                self._answer += message.get("body", b"")
            if not message.get("more_body", False):
                await self._end(whole=True)
        await self._send(message)

    async def broke_off(self) -> None:
        """The endpoint is done, or has failed: what it began to answer is what it made, and without that, nothing."""
        if self._status is None and not self._told:
            self._told = True
            await self._gating.released(self._decision, "no_answer")
        else:
            await self._end(whole=False)

    async def _end(self, *, whole: bool) -> None:
        if self._told or self._status is None:
            return
        self._told = True
        readable = whole and self._is_json and len(self._answer) <= ANSWER_BYTES_MAX
        await self._gating.ended(self._decision, self._status, bytes(self._answer) if readable else None)


async def _read(receive: Receive) -> bytes | None:
    """The body, or as much of it as shows that it is too large; None: the client is gone."""
    body = bytearray()
    while len(body) <= BODY_BYTES_MAX:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more for the endpoint, then whatever comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


async def _refuse(send: Send, refused: Refusal) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in refused.headers.items()]
    headers.append((b"content-length", str(len(refused.body)).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": refused.body})
