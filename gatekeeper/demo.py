"""What `gatekeeper demo` runs: the gateway in front of the sandbox provider, with a team, credits and a key.

The demo key is known to this process alone, by its hash, and is never stored; the embedded store is a fresh one in a
directory that goes when the demo ends. Everything else is the real thing.
"""

import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from gatekeeper.admin.token import shell_word
from gatekeeper.app import Running
from gatekeeper.core.credits import MICRO
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.ledger.opening import EMBEDDED
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord
from gatekeeper.sandbox import SandboxSettings, start_sandbox
from gatekeeper.settings import ProviderSettings, Settings
from gatekeeper.store import data_dir
from gatekeeper.web.auth import key_sha256
from gatekeeper.workers.lead import serve

DEMO_KEY = "gk_demo"
DEMO_TEAM = "demo"
DEMO_CREDITS = 1000

OWN_HOSTS = ("127.0.0.1", "localhost")
"""Whoever tries webhooks with the demo listens on the same machine."""

HOSTS = {"bfl": "bfl.localhost"}
"""A host name for whom an SDK drops the path of its base URL; the name of no other is used up by it."""

SANDBOX_PATHS = {
    "openai": "/openai/v1",
    "ark": "/ark/api/v3",
    "dashscope": "/dashscope/api/v1",
    "fal": "/fal/run",
    "minimax": "/minimax/v1",
}
"""Where the sandbox has a dialect, when that is not simply under its name."""


async def demo(settings: Settings) -> None:
    """Runs until it is told to stop. Providers in the settings are replaced by the sandbox."""
    sandbox = await start_sandbox(SandboxSettings(), host="127.0.0.1", port=0)
    try:
        with tempfile.TemporaryDirectory(prefix="gatekeeper-demo-", ignore_cleanup_errors=True) as scratch:
            ready = demo_settings(settings, sandbox.url, Path(scratch))
            key = KeyRecord(sha256=key_sha256(DEMO_KEY), team=DEMO_TEAM, key_id="demo")
            await serve(ready, announce=partial(_announce, sandbox.url, _token_word(ready)), static_keys=(key,))
    finally:
        await sandbox.close()


def demo_settings(settings: Settings, sandbox_url: str, scratch: Path) -> Settings:
    """Every dialect mounted under its own name on the sandbox, taking every model of the catalog."""
    providers = {
        name: ProviderSettings(
            dialect=name, models=("*",), host=HOSTS.get(name), **sandbox_addresses(name, sandbox_url)
        )
        for name in DIALECTS
    }
    store = settings.store
    if store.url == EMBEDDED:
        store = store.model_copy(update={"data_dir": scratch})
    webhooks = settings.webhooks.model_copy(update={"allow_hosts": (*settings.webhooks.allow_hosts, *OWN_HOSTS)})
    return settings.model_copy(update={"providers": providers, "store": store, "webhooks": webhooks, "teams": None})


def sandbox_addresses(name: str, sandbox_url: str) -> dict[str, Any]:
    """The address, or addresses, of a dialect's provider on the sandbox, as settings spell them."""
    bases = DIALECTS[name].TRAITS.bases
    trait = DIALECTS[name].TRAITS.webhook
    signs_as_fal = trait is not None and trait.signature == "fal"
    return {
        "webhook_jwks_url": f"{sandbox_url}/fal/.well-known/jwks.json" if signs_as_fal else None,
        "base_url": sandbox_url + SANDBOX_PATHS.get(name, f"/{name}"),
        "base_urls": {base: f"{sandbox_url}/{name}/{base}" for base in bases},
    }


def _token_word(settings: Settings) -> str:
    return shell_word(settings.admin_token, data_dir(settings))


async def _announce(sandbox_url: str, token_word: str, gateway: Running) -> None:
    await gateway.store.ledger.put_team(TeamRecord(id=DEMO_TEAM), actor="demo")
    await gateway.store.ledger.grant(DEMO_TEAM, "demo", DEMO_CREDITS * MICRO, note="the demo's credits", actor="demo")
    sys.stdout.write(banner(gateway.url, gateway.admin_url, gateway.store.url, sandbox_url, token_word))
    sys.stdout.flush()


def banner(url: str, admin_url: str, store_url: str, sandbox_url: str, token_word: str) -> str:
    """What a newcomer needs: two commands to paste, and where to look next."""
    return f"""
gatekeeper demo: team {DEMO_TEAM!r} has {DEMO_CREDITS:,} credits and the key {DEMO_KEY}. The provider is a sandbox.

Forwarded (200; open the url in the answer to see the picture):
{curl(url, "16:9")}

Refused (422; the answer names what is allowed):
{curl(url, "2:1")}

What is left:  curl -sS {url}/v1/balance -H 'Authorization: Bearer {DEMO_KEY}'
Its books:     GATEKEEPER_STORE__URL='{store_url}' {_program()} verify
Console:       {admin_url}/   Its token: echo "{token_word}"
Admin API:     curl -sS {admin_url}/admin/v1/teams -H "Authorization: Bearer {token_word}"
Health:        {admin_url}/readyz   Metrics: {admin_url}/metrics
Sandbox:       {sandbox_url} (what it was asked, and what it would bill: {sandbox_url}/sandbox/ledger)
OpenAI's SDK:  OpenAI(base_url="{url}/openai/v1", api_key="{DEMO_KEY}")
Ctrl-C ends it, and the demo's credits with it.
"""


def _program() -> str:
    """How the command line is called from here: by its name only where a shell finds it."""
    return "gatekeeper" if shutil.which("gatekeeper") else f"{sys.executable} -m gatekeeper"


def curl(url: str, aspect_ratio: str) -> str:
    """One line that asks for a picture."""
    body = (
        '{"model":"nano-banana-2","operation":"image.generate","prompt":"a lighthouse at dusk",'
        f'"resolution":"1K","aspect_ratio":"{aspect_ratio}"}}'
    )
    headers = f"-H 'Authorization: Bearer {DEMO_KEY}' -H 'Content-Type: application/json'"
    return f"curl -sS {url}/v1/generations {headers} -d '{body}'"
