"""From the settings' providers to those of the data plane: what is wrong with them, and their parts put together.

Here a dialect's facts meet what an operator wrote; the settings know no dialect, and a dialect knows no settings.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack

from gatekeeper.dialects.base import Dialect
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.ledger.records import OnUnknown
from gatekeeper.proxy.gate import Provider
from gatekeeper.proxy.webhooks.signatures import standard_key
from gatekeeper.settings import ProviderSettings, Settings, read_secret
from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.credential import Credential
from gatekeeper.upstream.messages import Timeouts
from gatekeeper.yamlfile import Problem


async def build_providers(settings: Settings, stack: AsyncExitStack) -> dict[str, Provider]:
    """Every provider with its credential and its own pool of connections, which closes with the stack."""
    providers = {}
    for name, stated in settings.providers.items():
        upstream = await stack.enter_async_context(Upstream(connections_per_host=stated.connections_max))
        providers[name] = _build_provider(name, stated, settings, upstream)
    return providers


def provider_problems(settings: Settings, *, secrets_needed: bool = True) -> list[Problem]:
    """What is wrong with the providers beyond their shape: unknown dialects and addresses, secrets not there."""
    problems = []
    for name, stated in settings.providers.items():
        where = ("providers", name)
        dialect = DIALECTS.get(stated.dialect)
        if dialect is None:
            known = ", ".join(DIALECTS)
            problems.append(settings.problem((*where, "dialect"), f"no dialect {stated.dialect!r}", f"Use {known}."))
        else:
            problems += [*_unknown_bases(settings, name, stated, dialect), *_webhook_problems(settings, name, dialect)]
        if secrets_needed and stated.credential != "none":
            try:
                read_secret(stated.credential, settings.base_dir)
            except LookupError as error:
                mend = "Set it, or write 'credential: none'."
                problems.append(settings.problem((*where, "credential"), str(error), mend))
    return problems


def _unknown_bases(settings: Settings, name: str, stated: ProviderSettings, dialect: Dialect) -> Iterator[Problem]:
    known = dialect.TRAITS.bases
    for base in stated.base_urls:
        if base not in known:
            mend = f"Use {', '.join(known)}." if known else "Leave it out: this dialect has base_url alone."
            what = f"the dialect {stated.dialect} has no address {base!r}"
            yield settings.problem(("providers", name, "base_urls", base), what, mend)


def _webhook_problems(settings: Settings, name: str, dialect: Dialect) -> Iterator[Problem]:
    source, trait = settings.providers[name].webhook_secret, dialect.TRAITS.webhook
    if source is None:
        return
    where = ("providers", name, "webhook_secret")
    if trait is None or trait.signature != "standard":
        yield settings.problem(where, "this dialect's webhooks are not signed with such a secret", "Leave it out.")
        return
    try:
        if standard_key(read_secret(source, settings.base_dir)) is None:
            yield settings.problem(where, "this is no secret of webhooks", "It is whsec_ and base64 behind it.")
    except LookupError as error:
        yield settings.problem(where, str(error), "Set it, or leave it out: then each event is confirmed by a poll.")


def _build_provider(name: str, stated: ProviderSettings, settings: Settings, upstream: Upstream) -> Provider:
    source = stated.credential
    secret = "" if source == "none" else read_secret(source, settings.base_dir)
    limits = stated.timeouts
    dialect = DIALECTS[stated.dialect]
    return Provider(
        name=name,
        dialect_name=stated.dialect,
        dialect=dialect,
        bases={**dialect.TRAITS.bases, **stated.base_urls, "": stated.base_url},
        host=stated.host,
        credential=Credential("bearer", secret=secret) if secret else Credential("none"),
        upstream=upstream,
        offers_of=stated.offers_of or name,
        models=stated.models,
        default_model=stated.default_model,
        timeouts=Timeouts(limits.connect_s, limits.head_s, limits.idle_s, limits.total_s),
        passthrough=frozenset((route.split(" ")[0], route.split(" ")[1]) for route in stated.passthrough),
        on_unknown=OnUnknown(stated.on_unknown),
        unknown_grace_s=stated.unknown_grace_s,
    )
