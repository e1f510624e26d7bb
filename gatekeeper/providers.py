"""From the settings' providers to those of the data plane: what is wrong with them, and their parts put together.

Here a dialect's facts meet what an operator wrote; the settings know no dialect, and a dialect knows no settings.
"""

from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from gatekeeper.custom_settings import CustomAnswer as StatedAnswer
from gatekeeper.custom_settings import CustomSettings
from gatekeeper.dialects.base import CredentialPlace, Dialect, RouteKind, Traits
from gatekeeper.dialects.custom import CustomAnswer, CustomDialect, CustomPlan, CustomRoute
from gatekeeper.dialects.pointers import read_pointer
from gatekeeper.dialects.registry import DIALECTS
from gatekeeper.ledger.records import OnUnknown
from gatekeeper.proxy.crowd import Elsewhere, Places
from gatekeeper.proxy.gate import Provider
from gatekeeper.proxy.webhooks.signatures import KEY_BYTES_MIN, standard_key
from gatekeeper.sections import describe_secret, read_secret
from gatekeeper.settings import CUSTOM, ProviderSettings, Settings
from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.credential import Credential
from gatekeeper.upstream.messages import Timeouts
from gatekeeper.web.auth import KEY_HEADERS
from gatekeeper.yamlfile import Problem

_WEBHOOK_SECRET_MEND = (
    f"It is whsec_ and base64 of {KEY_BYTES_MIN} bytes or more, as the provider shows it: copy it anew."
)


async def build_providers(
    settings: Settings, stack: AsyncExitStack, elsewhere: Elsewhere | None = None
) -> dict[str, Provider]:
    """Every provider with its credential and its own pool of connections, which closes with the stack. `elsewhere`
    counts who waits for a place at one."""
    providers = {}
    for name, stated in settings.providers.items():
        upstream = await stack.enter_async_context(Upstream(connections_per_host=stated.connections_max))
        providers[name] = _build_provider(name, stated, settings, upstream, elsewhere)
    return providers


def provider_problems(settings: Settings, *, secrets_needed: bool = True) -> list[Problem]:
    """What is wrong with the providers beyond their shape: unknown dialects and addresses, secrets not there."""
    problems = []
    for name, stated in settings.providers.items():
        where = ("providers", name)
        dialect = _dialect(stated)
        if dialect is None and stated.dialect != CUSTOM:
            known = ", ".join((*DIALECTS, CUSTOM))
            problems.append(settings.problem((*where, "dialect"), f"no dialect {stated.dialect!r}", f"Use {known}."))
        if stated.dialect != CUSTOM and stated.custom is not None:
            mend = "Write 'dialect: custom', or leave it out."
            problems.append(settings.problem((*where, "custom"), f"{stated.dialect} describes itself", mend))
        if dialect is not None:
            problems += _address_problems(settings, name, stated, dialect.TRAITS)
            problems += _webhook_problems(settings, name, dialect, secrets_needed=secrets_needed)
        if secrets_needed:
            problems += _no_credential(settings, name, stated, dialect)
    return problems


def _dialect(stated: ProviderSettings) -> Dialect | None:
    """The dialect of this name, or the one that is described here; None: there is none."""
    described = stated.custom if stated.dialect == CUSTOM else None
    return DIALECTS.get(stated.dialect) if described is None else CustomDialect(_plan(described))


def _plan(stated: CustomSettings) -> CustomPlan:
    generations = [
        CustomRoute(RouteKind.GENERATION, each.method, each.template, each.query, each.operation)
        for each in stated.routes
    ]
    about_jobs = [
        CustomRoute(RouteKind(kind), each.method, each.template, each.query)
        for kind, each in stated.job_routes().items()
    ]
    return CustomPlan(
        routes=(*generations, *about_jobs),
        fields={name: read_pointer(text) for name, text in stated.fields.given().items()},
        answer=_plan_answer(stated.answer),
        error_message=read_pointer(stated.error_message),
        links=tuple(".".join(read_pointer(text)) for text in stated.links),
        failed_is_charged=stated.failed_is_charged,
    )


def _plan_answer(stated: StatedAnswer) -> CustomAnswer:
    pointers = {name: text for name, text in stated if isinstance(text, str) and name != "cost_unit"}
    words = () if stated.states is None else stated.states
    return CustomAnswer(
        states={word: meant for meant, listed in words for word in listed},
        cost_unit=stated.cost_unit,
        **{name: read_pointer(text) for name, text in pointers.items()},
    )


def _no_credential(
    settings: Settings, name: str, stated: ProviderSettings, dialect: Dialect | None
) -> Iterator[Problem]:
    """A secret that is not there, or that cannot be one of its kind. It is never shown."""
    where = ("providers", name, "credential")
    try:
        _credential(stated, dialect.TRAITS.credential if dialect else CredentialPlace(), settings.base_dir)
    except LookupError as error:
        yield settings.problem(where, str(error), "Set it, or write 'credential: none'.")
    except ValueError as error:
        yield settings.problem(where, str(error), "Correct it where it is kept.")


def _credential(stated: ProviderSettings, place: CredentialPlace, base_dir: Path) -> Credential:
    """The provider's credential, in the place that the settings name, or else in its format's own.

    Raises `LookupError` for a secret that is not there, ValueError for one that cannot be used.
    """
    if stated.credential == "none":
        return Credential("none")
    secret, other = read_secret(stated.credential, base_dir), stated.credential_in
    try:
        return Credential(other.kind, other.name, secret) if other else Credential(place.kind, place.name, secret)
    except ValueError as error:
        raise ValueError(f"{describe_secret(stated.credential)}: {error}") from None


def key_headers(providers: Iterable[Provider]) -> frozenset[bytes]:
    """The headers in which callers may bring their own key: where an SDK puts the provider's, it puts ours."""
    named = (each.credential.name.lower().encode() for each in providers if each.credential.kind == "header")
    return KEY_HEADERS | frozenset(named)


def _address_problems(settings: Settings, name: str, stated: ProviderSettings, traits: Traits) -> Iterator[Problem]:
    """Addresses that are unknown, or missing: who is elsewhere is elsewhere with all of them."""
    where, known = ("providers", name), traits.bases
    for base in stated.base_urls:
        if base not in known:
            mend = f"Use {', '.join(known)}." if known else "Leave it out: this dialect has base_url alone."
            what = f"the dialect {stated.dialect} has no address {base!r}"
            yield settings.problem((*where, "base_urls", base), what, mend)
    if stated.base_url is None and not traits.address:
        yield settings.problem(
            where, "base_url is missing", "Write where it is, like base_url: https://render.internal."
        )
    if stated.base_url not in {None, traits.address}:
        for base in [base for base in known if base not in stated.base_urls]:
            what = f"base_urls.{base} is missing, and base_url is not the provider's public address"
            mend = f"Write base_urls: {{{base}: ...}} beside it, or the public one, {known[base]}."
            yield settings.problem((*where, "base_url"), what, mend)


def _webhook_problems(settings: Settings, name: str, dialect: Dialect, *, secrets_needed: bool) -> Iterator[Problem]:
    source, trait = settings.providers[name].webhook_secret, dialect.TRAITS.webhook
    if source is None:
        return
    where = ("providers", name, "webhook_secret")
    if trait is None or trait.signature != "standard":
        yield settings.problem(where, "this dialect's webhooks are not signed with such a secret", "Leave it out.")
        return
    if not secrets_needed:
        return
    try:
        if standard_key(read_secret(source, settings.base_dir)) is None:
            yield settings.problem(where, "this is no secret of webhooks", _WEBHOOK_SECRET_MEND)
    except LookupError as error:
        yield settings.problem(where, str(error), "Set it, or leave it out: then each event is confirmed by a poll.")


def _build_provider(
    name: str, stated: ProviderSettings, settings: Settings, upstream: Upstream, elsewhere: Elsewhere | None
) -> Provider:
    limits, dialect = stated.timeouts, _dialect(stated) or DIALECTS[stated.dialect]
    return Provider(
        name=name,
        dialect_name=stated.dialect,
        dialect=dialect,
        bases={**dialect.TRAITS.bases, **stated.base_urls, "": stated.base_url or dialect.TRAITS.address},
        host=stated.host,
        credential=_credential(stated, dialect.TRAITS.credential, settings.base_dir),
        upstream=upstream,
        offers_of=stated.offers_of or name,
        models=stated.models,
        default_model=stated.default_model,
        timeouts=Timeouts(limits.connect_s, limits.head_s, limits.idle_s, limits.total_s),
        passthrough=frozenset((route.split(" ")[0], route.split(" ")[1]) for route in stated.passthrough),
        on_unknown=OnUnknown(stated.on_unknown),
        unknown_grace_s=stated.unknown_grace_s,
        shadow=stated.shadow,
        places=Places(
            f"{name} has as many requests from here as it takes at once.",
            places=stated.connections_max,
            waiting_max=stated.queue_max,
            wait_max_s=stated.queue_max_s,
            elsewhere=elsewhere,
        ),
    )
