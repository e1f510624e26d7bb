"""What every answer of the console says to a browser: where scripts and styles may come from, and what to keep."""

from typing import Final

from aiohttp import web

from gatekeeper.web.outgoing import SERVER

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Nothing from other hosts, nothing written into a page, and no page of others around one of ours."""

ALWAYS: Final = {
    "Server": SERVER,
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Nothing goes to other hosts. To ourselves it does: without it browsers hide where a form comes from.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

NOT_KEPT: Final = "no-store"
"""Pages have figures, and perhaps a secret that is shown once."""


def dressed(answer: web.StreamResponse) -> web.StreamResponse:
    """With all of that; whoever may be kept has said so itself."""
    for name, value in ALWAYS.items():
        answer.headers[name] = value
    answer.headers.setdefault("Cache-Control", NOT_KEPT)
    return answer
