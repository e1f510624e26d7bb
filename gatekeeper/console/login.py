"""Signing in with the admin token, and out. The token is compared in constant time and is in no page, cookie or log."""

import hmac
from math import ceil
from typing import Final, Literal
from urllib.parse import quote

from aiohttp import web

from gatekeeper.admin.token import FILE_NAME, VARIABLE
from gatekeeper.console.attempts import Attempts
from gatekeeper.console.forms import CSRF_FIELD, check_csrf, read_form
from gatekeeper.console.rendering import rendered
from gatekeeper.console.sessions import LIFE_S
from gatekeeper.console.visiting import Parts, html
from gatekeeper.logs import emit
from gatekeeper.serverevents import ConsoleEntered
from gatekeeper.web.senders import Senders

PATH: Final = "/login"
LEAVE_PATH: Final = "/logout"

COOKIE: Final = "gatekeeper_session"

Outcome = Literal["opened", "refused", "waits"]
"""What came of an attempt."""

NEXT_CHARS_MAX: Final = 1024
"""Of an address to go back to."""


class Desk:
    """Where one signs in and out."""

    def __init__(self, parts: Parts, token: str, senders: Senders) -> None:
        self._parts, self._senders = parts, senders
        self._token = token.encode()
        self._attempts = Attempts(parts.clock)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """The page that asks for the token; who is signed in already goes on."""
        if self._parts.sessions.find(request.cookies.get(COOKIE, "")) is not None:
            return web.Response(status=303, headers={"Location": safe_path(request.query.get("next", ""))})
        return self._page(request.query.get("next", ""), "")

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Opens a session for the right token. There is none yet, so no secret of it either; who may not try is told
        when."""
        form = await read_form(request)
        back, address = form.get("next", ""), self._senders.address_of(request)
        wait_s = self._attempts.wait_s(address)
        is_right = hmac.compare_digest(form.get("token", "").strip().encode("utf-8", "replace"), self._token)
        outcome: Outcome = "waits" if wait_s else "opened" if is_right else "refused"
        emit(ConsoleEntered(outcome=outcome, address=address))
        if wait_s:
            answer = self._page(back, f"Too many attempts. Try again in {ceil(wait_s)} seconds.", 429)
            answer.headers["Retry-After"] = str(ceil(wait_s))
            return answer
        if not is_right:
            self._attempts.failed(address)
            return self._page(back, "That is not the admin token of this gateway.", 403)
        self._attempts.forgive(address)
        self._parts.sessions.close(request.cookies.get(COOKIE, ""))
        secret, _ = self._parts.sessions.open()
        answer = web.Response(status=303, headers={"Location": safe_path(back)})
        answer.set_cookie(
            COOKIE, secret, max_age=LIFE_S, path="/", secure=is_by_tls(request), httponly=True, samesite="Strict"
        )
        return answer

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """Ends the session and takes the cookie back."""
        secret = request.cookies.get(COOKIE, "")
        session = self._parts.sessions.find(secret)
        if session is not None:
            check_csrf((await read_form(request)).get(CSRF_FIELD, ""), session.csrf)
            self._parts.sessions.close(secret)
        answer = web.Response(status=303, headers={"Location": PATH})
        answer.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return answer

    def _page(self, back: str, problem: str, status: int = 200) -> web.Response:
        values = {"back": safe_path(back), "problem": problem, "variable": VARIABLE, "file_name": FILE_NAME}
        return html(rendered(self._parts.templates, "login.html", values), status)


def login_address(back: str) -> str:
    """Where to sign in to get there."""
    return PATH if back in {"", "/"} else f"{PATH}?next={quote(back[:NEXT_CHARS_MAX], safe='')}"


def safe_path(back: str) -> str:
    """A path of this host, whatever was asked for: `//host` and `/\\host` are others' to a browser."""
    plain = len(back) <= NEXT_CHARS_MAX and back.isprintable() and "\\" not in back
    return back if plain and back.startswith("/") and not back.startswith("//") else "/"


def is_by_tls(request: web.Request) -> bool:
    """Whether the browser came by TLS, to us or to a proxy before us that says so."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
