"""The snippets of one calculation: for each provider that sells it, curl and the SDK; and the question of its price."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from gatekeeper.catalog import Catalog
from gatekeeper.console.calculator import Calculation
from gatekeeper.console.snippets.curl import curl_text
from gatekeeper.console.snippets.fitting import Door, Fit, Misfit, fits
from gatekeeper.console.snippets.forms import write_native
from gatekeeper.console.snippets.python import python_text
from gatekeeper.console.snippets.wire import Wanted, Wire
from gatekeeper.core.spec import Status
from gatekeeper.dialects.base import CredentialPlace

QUOTES_PATH: Final = "/v1/quotes"

_NEEDS: Final = {
    "fal": "fal's SDK speaks https only: it is shown where this gateway has an https address (server.public_url).",
    "bfl": "The SDK of Black Forest Labs needs a host name of its own for this provider (host in the settings).",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One text to copy. `language` is what it is written in, for people."""

    id: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """How one provider is asked. `names` is what had to be named that was left open; `ends` is the day on which its
    offer does, "" if it stays; `note` says why there is no SDK where one would be looked for."""

    provider: str
    title: str
    upstream_id: str
    codes: tuple[Code, ...]
    names: str = ""
    ends: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Samples:
    """Those who can be asked, and those who sell the model and cannot say this; and how to ask for the price alone."""

    found: tuple[Sample, ...]
    missing: tuple[Misfit, ...]
    quote: Code


def samples(catalog: Catalog, calculation: Calculation, doors: Iterable[Door], base_url: str) -> Samples:
    """Every provider of this gateway that sells the model, in the order of its offers. `base_url` is the data plane's,
    as its callers reach it."""
    order = {provider: number for number, provider in enumerate(calculation.model.sold_at)}
    doors = sorted(doors, key=lambda door: order.get(door.offers_of, len(order)))
    found: list[Sample] = []
    missing: list[Misfit] = []
    for door in doors:
        fit = fits(catalog, calculation.model, calculation.valid, calculation.quote, door)
        match fit:
            case Fit():
                found.append(_sample(fit, base_url))
            case Misfit():
                missing.append(fit)
    return Samples(tuple(found), tuple(missing), quote_code(calculation, base_url))


def quote_code(calculation: Calculation, base_url: str) -> Code:
    """The question of the price, which every model can be asked, wherever it is sold."""
    wanted = Wanted(calculation.model.id, calculation.valid, calculation.capability)
    body = {name: value for name, value in next(write_native(wanted)).body.items() if name != "prompt"}
    return Code("quote", "curl", curl_text(base_url, Wire(QUOTES_PATH, body), CredentialPlace()))


def _sample(fit: Fit, base_url: str) -> Sample:
    door, lifecycle = fit.door, fit.offer.lifecycle
    assert door.dialect is not None, "what fits was read by a dialect"
    traits = door.dialect.TRAITS
    url = f"{base_url}/{door.name}"
    curl = Code(_id(door.name, "curl"), "curl", curl_text(url, fit.wire, traits.credential))
    program = python_text(door.dialect_name, url, _host_url(base_url, door.host), fit.upstream_id, fit.wire)
    python = () if program is None else (Code(_id(door.name, "python"), "Python", program),)
    ends = str(lifecycle.sunset or "") if lifecycle.status is Status.DEPRECATED else ""
    return Sample(
        door.name,
        traits.title,
        fit.upstream_id,
        (curl, *python),
        fit.names,
        ends,
        _note(door, fit, program is not None),
    )


def _note(door: Door, fit: Fit, has_program: bool) -> str:
    """Why an SDK that exists is not shown."""
    if has_program or not fit.wire.call:
        return ""
    return _NEEDS.get(door.dialect_name, "")


def _id(provider: str, language: str) -> str:
    """A name for an element of a page."""
    return f"code-{re.sub(r'[^A-Za-z0-9-]', '-', provider)}-{language}"


def _host_url(base_url: str, host: str | None) -> str | None:
    """The data plane at a provider's own host name, on the same port."""
    if host is None:
        return None
    parts = urlsplit(base_url)
    port = "" if parts.port is None else f":{parts.port}"
    return urlunsplit((parts.scheme, f"{host}{port}", "", "", ""))
