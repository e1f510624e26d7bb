"""The record tells enough to prove what was forwarded, and keeps no secret."""

import json

from gatekeeper.sandbox.record import NAMES_MAX, OTHER, Record, credential_digest
from tests.cases import each_case


def arrive(record: Record, path: str = "/v1/x", **headers: str) -> None:
    record.arrive("POST", path, "POST /v1/x", [(name.replace("_", "-"), value) for name, value in headers.items()])


@each_case(
    ("header", "value"),
    [
        ("Authorization", "Bearer sk-secret"),
        ("Authorization", "Key sk-secret"),
        ("x-goog-api-key", "sk-secret"),
        ("X-Key", "sk-secret"),
        ("x-api-key", "sk-secret"),
        ("api-key", "sk-secret"),
        ("x-freepik-api-key", "sk-secret"),
    ],
)
def test_a_credential_is_counted_by_its_digest(header: str, value: str) -> None:
    """Wherever an SDK puts it, the same credential has the same digest, and is itself not in the report."""
    record = Record(10)

    arrive(record, **{header: value})

    assert {credential_digest("sk-secret"): 1} == record.report()["credentials"]
    assert "sk-secret" not in json.dumps(record.report())


@each_case(
    ("path", "headers", "expected"),
    [
        ("/x", {"Authorization": "Bearer gk_abc"}, True),
        ("/x", {"X-Anything": "gk_abc"}, True),
        ("/x", {"Cookie": "a=1; key=gk_abc"}, True),
        ("/x?key=gk_abc", {}, True),
        ("/x?key=%67k_abc", {}, True),
        ("/x", {"Authorization": "Bearer sk-abc"}, False),
        ("/x", {"X-Anything": "bigk_abc"}, False),
    ],
)
def test_a_team_key_anywhere_in_the_head_is_noticed(path: str, headers: dict[str, str], expected: bool) -> None:
    """Any header, any query parameter, with or without a scheme before it."""
    record = Record(10)

    arrive(record, path, **headers)

    assert expected == record.report()["recent"][0]["team_key_seen"]
    assert int(expected) == record.report()["team_key_seen"]


def test_header_names_are_kept_and_only_harmless_values() -> None:
    """Enough to see what a gateway stripped; nothing that could be a secret."""
    record = Record(10)

    arrive(record, Content_Type="image/png", Cookie="session=1", OpenAI_Organization="org-7")

    seen = record.report()["recent"][0]
    assert ["Content-Type", "Cookie", "OpenAI-Organization"] == seen["header_names"]
    assert {"content-type": "image/png"} == seen["headers"]


def test_query_values_are_not_kept() -> None:
    """A credential may come in the query; only the names are shown."""
    record = Record(10)

    arrive(record, "/v1/x?key=AIza-secret&alt=sse")

    seen = record.report()["recent"][0]
    assert ("/v1/x", ["key", "alt"]) == (seen["path"], seen["query_names"])
    assert "AIza" not in json.dumps(record.report())


def test_details_are_kept_of_the_last_requests_only() -> None:
    """Counts go on, details do not pile up."""
    record = Record(3)

    for _ in range(10):
        arrive(record)

    assert (10, [8, 9, 10]) == (record.report()["requests"], [seen["number"] for seen in record.report()["recent"]])


def test_memory_is_bounded_whatever_is_sent() -> None:
    """Endless new models, credentials and huge headers make the report no larger than its bounds."""
    record = Record(5)

    for number in range(NAMES_MAX + 500):
        record.generated(f"model-{number}" + "x" * 1_000, 1)
        arrive(record, "/" + "y" * 5_000, Authorization=f"Bearer {number}", User_Agent="z" * 5_000)

    report = record.report()
    assert NAMES_MAX + 1 == len(report["models"]) == len(report["credentials"])
    assert {"generations": 500, "images": 500} == report["models"][OTHER]
    assert len(json.dumps(report)) < NAMES_MAX * 400


def test_a_reset_forgets_everything() -> None:
    """As new."""
    record = Record(5)
    arrive(record, Authorization="Bearer x")
    record.generated("m", 2)
    record.file_served()

    record.reset()

    assert Record(5).report() == record.report()
