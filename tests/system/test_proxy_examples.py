"""The examples for Traefik and Envoy: they read as what they are, and what they make a proxy send is understood."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.system.test_decisions import tell
from tests.system.world import Answer, World

EXAMPLES = Path(__file__).parents[2] / "config" / "forward-auth"

CALLERS = {
    "Gatekeeper-Model": "seedream-v4.5", "Gatekeeper-Resolution": "2K", "Gatekeeper-Outputs": "4",
    "Gatekeeper-Hold-Id": "0" * 32, "Gatekeeper-Settle-Token": "a-token-of-the-caller", "Cookie": "a=b",
    "Gatekeeper-Dry-Run": "true",
}  # fmt: skip
"""What a caller may send besides its key, to pay less."""


def read(name: str) -> Any:
    """An example as its program reads it."""
    return YAML(typ="safe").load((EXAMPLES / name).read_text())


async def traefik_asks(world: World, key: str, callers: dict[str, str]) -> Answer:
    """As Traefik does: a GET of the address, with the headers of the list, and where the request was for in others."""
    middlewares = read("traefik.yaml")["http"]["middlewares"]
    removed = middlewares["own-headers"]["headers"]["customRequestHeaders"]
    assert {""} == set(removed.values())
    auth = middlewares["gatekeeper"]["forwardAuth"]
    shown = {each.lower() for each in auth["authRequestHeaders"]}
    kept = {name: value for name, value in callers.items() if name not in removed and name.lower() in shown}
    sent = {**kept, "X-Forwarded-Method": "POST", "X-Forwarded-Uri": "/images?model=seedream-v4.5&settle=now"}
    path = auth["address"].removeprefix("http://127.0.0.1:8080")
    assert auth["address"] != path
    return await world.send("GET", path, key, headers=sent)


def envoy_filter() -> Any:
    """The ext_authz filter of the example."""
    (listener,) = read("envoy.yaml")["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    authz, router = manager["http_filters"]
    assert ["envoy.filters.http.ext_authz", "envoy.filters.http.router"] == [authz["name"], router["name"]]
    return authz["typed_config"]


def patterns(listed: Any) -> set[str]:
    """The names in a list of exact matchers."""
    return {each["exact"] for each in listed["patterns"]}


async def envoy_asks(world: World, key: str, callers: dict[str, str]) -> Answer:
    """As Envoy does: by the request's own method, its path and query behind the prefix, listed headers and its own."""
    stated = envoy_filter()
    service = stated["http_service"]
    kept = {name: value for name, value in callers.items() if name.lower() in patterns(stated["allowed_headers"])}
    added = {each["key"]: each["value"] for each in service["authorization_request"]["headers_to_add"]}
    path = f"{service['path_prefix']}/images?model=seedream-v4.5&settle=now"
    return await world.send("POST", path, key, headers={**kept, **added})


async def test_what_traefik_asks_is_what_its_configuration_says(world: World):
    """The model is fixed, the caller chooses the resolution, and nothing else that it says is heard."""
    key = await world.key()

    asked = await traefik_asks(world, key, CALLERS)

    assert (200, "73.5") == (asked.status, asked.headers["Gatekeeper-Credits-Held"])


async def test_what_envoy_asks_is_what_its_configuration_says(world: World):
    """The model is fixed, the caller chooses the resolution, and neither its query nor its headers change the rest."""
    key = await world.key()

    asked = await envoy_asks(world, key, CALLERS)

    assert (200, "73.5") == (asked.status, asked.headers["Gatekeeper-Credits-Held"])


async def test_either_hands_the_service_what_it_settles_by(world: World):
    """Hold and token are on the list of what goes to the service, and the charge is exact."""
    key = await world.key()
    traefik = read("traefik.yaml")["http"]["middlewares"]["gatekeeper"]["forwardAuth"]["authResponseHeaders"]
    envoy = patterns(envoy_filter()["http_service"]["authorization_response"]["allowed_upstream_headers"])
    handed = {"Gatekeeper-Hold-Id", "Gatekeeper-Settle-Token"}

    for asked in (await traefik_asks(world, key, {}), await envoy_asks(world, key, {})):
        hold, token = asked.headers["Gatekeeper-Hold-Id"], asked.headers["Gatekeeper-Settle-Token"]
        settled = await tell(world, key, hold, "settle", Gatekeeper_Settle_Token=token)
        assert 49 == settled.json["credits_charged"]

    assert [handed, {name.lower() for name in handed}] == [set(traefik), envoy]
    await world.assert_books_clean()


async def test_neither_lets_by_what_is_refused(world: World):
    """A refusal is no 2xx to Traefik and no 200 to Envoy, with the document for the caller; and Envoy fails closed."""
    key = await world.key("1")

    answers = [await traefik_asks(world, key, {}), await envoy_asks(world, key, {})]

    assert [(402, "insufficient_credits")] * 2 == [(each.status, each.json["code"]) for each in answers]
    assert False is envoy_filter()["failure_mode_allow"]
