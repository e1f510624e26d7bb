"""Which routes are open: those in the table, spelled exactly so."""

from gatekeeper.core.request import Operation
from gatekeeper.dialects.base import RouteKind
from gatekeeper.dialects.registry import DIALECTS
from tests.cases import each_case
from tests.dialects.samples import routes_of


@each_case(
    ("dialect", "method", "path", "upstream_path", "operation"),
    [
        ("openai", "POST", "/v1/images/generations", "/images/generations", Operation.IMAGE_GENERATE),
        ("openai", "POST", "/images/generations", "/images/generations", Operation.IMAGE_GENERATE),
        ("openai", "POST", "/v1/images/edits", "/images/edits", Operation.IMAGE_EDIT),
        ("openai", "POST", "/images/edits", "/images/edits", Operation.IMAGE_EDIT),
        ("native", "POST", "/v1/generations", "/v1/generations", None),
    ],
)
def test_generation_routes(
    dialect: str, method: str, path: str, upstream_path: str, operation: Operation | None
) -> None:
    """A generation route is gated and goes to the provider's own path."""
    route = DIALECTS[dialect].find_route(method, path)

    assert route is not None
    assert (RouteKind.GENERATION, upstream_path, operation) == (route.kind, route.upstream_path, route.operation)


@each_case("path", ["/models", "/models/gpt-image-2", "/models/ft:gpt-4o:org::id.7"])
@each_case("prefix", ["", "/v1"])
def test_models_are_free(path: str, prefix: str) -> None:
    """The list of models and each model pass by without a price."""
    route = DIALECTS["openai"].find_route("GET", prefix + path)

    assert route is not None
    assert (RouteKind.FREE, path) == (route.kind, route.upstream_path)


@each_case("dialect", ["native", "openai"])
@each_case(
    ("method", "path"),
    [
        ("GET", "/v1/images/generations"),
        ("PUT", "/v1/images/generations"),
        ("post", "/v1/images/generations"),
        ("POST", "/v1/images/generations/"),
        ("POST", "/v1//images/generations"),
        ("POST", "//v1/images/generations"),
        ("POST", "/v1/v1/images/generations"),
        ("POST", "/V1/images/generations"),
        ("POST", "/v1/images/%67enerations"),
        ("POST", "/v1/images/generations?n=10"),
        ("POST", "/v1/images/generations\n"),
        ("POST", "/v1/images/variations"),
        ("POST", "/v1/images/../images/generations"),
        ("POST", "/v1/responses"),
        ("POST", "/v1/models"),
        ("GET", "/v1/models/"),
        ("GET", "/v1/models/.."),
        ("GET", "/v1/models/%2e%2e"),
        ("GET", "/v1/models/a\n"),
        ("GET", "/v1/models/" + "a" * 257),
        ("DELETE", "/v1/models/a"),
        ("GET", "/v1/generations"),
        ("POST", "/v1/generations/"),
        ("POST", "/generations"),
        ("POST", ""),
        ("POST", "/"),
        ("POST", "/v1"),
    ],
)
def test_anything_else_is_closed(dialect: str, method: str, path: str) -> None:
    """There is no other way in: no other method, spelling or depth."""
    assert DIALECTS[dialect].find_route(method, path) is None


@each_case("dialect", sorted(DIALECTS))
def test_every_line_leads_where_it_says(dialect: str) -> None:
    """A path that a line describes leads to that line's route, and goes upstream as it was understood."""
    for (_, template, known), (*_, route) in zip(DIALECTS[dialect].routes(), routes_of(dialect), strict=True):
        assert (known.name, known.kind, known.operation) == (route.name, route.kind, route.operation), template
        assert "{" not in route.upstream_path


@each_case("dialect", sorted(DIALECTS))
def test_no_line_is_open_in_another_spelling(dialect: str) -> None:
    """No other method, no slash more, no way up and no escape leads to what a line describes."""
    for _, path, _ in routes_of(dialect):
        spellings = [path + "/", "/" + path, path + "/..", "/.." + path, path.upper(), path + "%2F", path + "%00"]
        opened = [spelling for spelling in spellings if DIALECTS[dialect].find_route("POST", spelling)]

        assert opened == []
        assert DIALECTS[dialect].find_route("PATCH", path) is None
        assert DIALECTS[dialect].find_route("get", path) is None
