"""The shipped catalog and the formats that have a model in the path: every offer can be asked for by its own id."""

import json
from pathlib import Path

import pytest

from gatekeeper.catalog import load_catalog
from gatekeeper.dialects.registry import DIALECTS

CATALOG = sorted((Path(__file__).parents[2] / "config" / "catalog").glob("*.yaml"))

PATHS = {
    "bfl": ("/v1/{id}",),
    "fal": ("/run/{id}", "/queue/{id}"),
    "replicate": ("/v1/models/{id}/predictions", "/models/{id}/predictions"),
}
"""Where a model of that id is asked for."""


@pytest.mark.parametrize("provider", PATHS)
def test_every_offer_has_an_address(provider: str) -> None:
    """What a dialect reads is exactly the id that the catalog has."""
    catalog = load_catalog(CATALOG)
    ids = {offer.upstream_id for model in catalog.models for offer in model.offers if offer.provider == provider}
    assert ids

    for upstream_id in ids:
        for path in PATHS[provider]:
            route = DIALECTS[provider].find_route("POST", path.format(id=upstream_id))
            assert route is not None, upstream_id
            body = json.dumps({"prompt": "p"} if provider != "replicate" else {"input": {"prompt": "p"}}).encode()
            assert upstream_id == DIALECTS[provider].read_request(route, "application/json", [body]).model


@pytest.mark.parametrize("provider", PATHS)
def test_what_an_id_says_it_does_its_model_does(provider: str) -> None:
    """An operation that the id tells is one that its offer has."""
    for model in load_catalog(CATALOG).models:
        for offer in model.offers:
            if offer.provider != provider:
                continue
            route = DIALECTS[provider].find_route("POST", PATHS[provider][0].format(id=offer.upstream_id))
            assert route is not None
            request = DIALECTS[provider].read_request(route, "application/json", [b"{}"])
            assert (request.operation or model.operations[0]) in (offer.operations or model.operations)
