"""The admin port's routes: is it alive, is it ready, what are its figures, read the catalog anew.

Health and metrics need no token, everything under `/admin` does. The port listens on loopback unless told otherwise.
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gatekeeper.events import InternalError
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.reports import VerifyReport
from gatekeeper.logs import emit, place_of
from gatekeeper.metrics import Metrics
from gatekeeper.web.answers import json_answer

ADMIN_BODY_BYTES_MAX = 1024 * 1024
"""Admin bodies are small; a larger one is a mistake."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What `/readyz` tells."""

    ready: bool
    store: str
    durability: str
    catalog_models: int
    catalog_digest: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of a reload; with problems the old catalog stays."""

    ok: bool
    models: int
    digest: str
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AdminPlane:
    """The routes and what they ask. `token` is compared in constant time."""

    token: str
    metrics: Metrics
    ledger: Ledger
    readiness: Callable[[], Awaitable[Readiness]]
    reload: Callable[[], Awaitable[Reload]]

    def application(self) -> web.Application:
        """The aiohttp application with every admin route."""
        app = web.Application(client_max_size=ADMIN_BODY_BYTES_MAX, middlewares=[self._guard])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/admin/v1/catalog/reload", self._reload_catalog)
        app.router.add_get("/admin/v1/verify", self._verify)
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith("/admin/") and not self._is_authorised(request):
            problem = {"code": "unauthenticated", "detail": "Send the admin token: Authorization: Bearer <token>"}
            return json_answer(problem, status=401)
        try:
            return await handler(request)
        except web.HTTPException as refused:
            return json_answer({"code": "refused", "detail": refused.reason}, status=refused.status)
        except Exception as error:  # noqa: BLE001  # the outermost edge: a bug is told, not swallowed by the server
            self.metrics.internal_error()
            emit(InternalError(where=place_of(error), error=type(error).__name__))
            return json_answer(
                {"code": "internal_error", "detail": "gatekeeper failed inside; see its log"}, status=500
            )

    def _is_authorised(self, request: web.Request) -> bool:
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        matches = hmac.compare_digest(sent.strip().encode("utf-8", "replace"), self.token.encode())
        return matches and scheme.lower() == "bearer"

    async def _healthz(self, _: web.Request) -> web.Response:
        return json_answer({"status": "ok"})

    async def _readyz(self, _: web.Request) -> web.Response:
        found = await self.readiness()
        document = {
            "ready": found.ready,
            "store": found.store,
            "durability": found.durability,
            "catalog": {"models": found.catalog_models, "digest": found.catalog_digest},
            "problems": list(found.problems),
        }
        return json_answer(document, status=200 if found.ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _reload_catalog(self, _: web.Request) -> web.Response:
        done = await self.reload()
        document = {"ok": done.ok, "models": done.models, "digest": done.digest, "problems": list(done.problems)}
        return json_answer(document, status=200 if done.ok else 422)

    async def _verify(self, _: web.Request) -> web.Response:
        try:
            reports = [await self.ledger.verify(team) async for team in self.ledger.teams()]
        except LedgerError as error:
            return json_answer({"code": "ledger_unavailable", "detail": str(error)}, status=503)
        clean = all(report.clean for report in reports)
        self.metrics.verified(sum(len(report.differences) for report in reports))
        return json_answer({"clean": clean, "teams": [verify_document(report) for report in reports]})


def verify_document(report: VerifyReport) -> dict[str, object]:
    """One team's verdict; a difference names the figure, what is stored and what the journal says."""
    return {
        "team": report.team,
        "clean": report.clean,
        "seq": report.seq,
        "entries": report.entries,
        "trusted_seq": report.trusted_seq,
        "differences": [{"what": d.what, "stored": d.stored, "derived": d.derived} for d in report.differences],
    }
