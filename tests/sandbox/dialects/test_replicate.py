"""The replicate dialect of the sandbox: predictions that start, are waited for, end in every way; files, versions."""

from typing import Any

import pytest

MODEL = "/replicate/v1/models/black-forest-labs/flux-dev/predictions"


async def predicted(client: Any, behaviour: str = "job=0", *, wait: str | None = None, **fields: Any) -> Any:
    """One prediction of a small picture."""
    body = {"input": {"prompt": f"a cat [sandbox: {behaviour}]", "width": 64, "height": 48, **fields}}
    headers = {} if wait is None else {"Prefer": wait}
    reply = await client.send("POST", MODEL, json=body, headers=headers)
    assert 201 == reply.status
    return reply.json


async def ended(client: Any, prediction: Any) -> Any:
    path = prediction["urls"]["get"].removeprefix(client.url)
    for _ in range(500):
        shown = (await client.send("GET", path)).json
        if shown["completed_at"] is not None:
            return shown
    raise AssertionError("the prediction did not end")


async def test_a_prediction_starts_and_succeeds(client: Any, pixels: Any) -> None:
    """Its output is an address, or a list of them where the model takes a number."""
    prediction = await predicted(client)
    one = await ended(client, prediction)
    several = await ended(client, await predicted(client, num_outputs=2))

    assert ("starting", "succeeded", 2) == (prediction["status"], one["status"], len(several["output"]))
    assert ("PNG", (64, 48)) == pixels((await client.send("GET", one["output"].removeprefix(client.url))).body)


async def test_one_that_is_waited_for_is_over(client: Any) -> None:
    """`Prefer: wait` answers with the end, if it comes in time; else it says `starting`."""
    over = await predicted(client, wait="wait")
    slow = await predicted(client, "job_wait", wait="wait=0")

    assert ("succeeded", "starting") == (over["status"], slow["status"])


@pytest.mark.parametrize(
    ("behaviour", "status", "error"),
    [
        ("job=0, job_fail", "failed", "The model broke."),
        ("job=0, job_moderated", "failed", "The prompt was flagged as sensitive (E005)."),
        ("job=0, job_expire", "aborted", None),
    ],
)
async def test_each_end(client: Any, behaviour: str, status: str, error: str | None) -> None:
    """What made nothing says why."""
    prediction = await ended(client, await predicted(client, behaviour))

    assert (status, error, None) == (prediction["status"], prediction["error"], prediction["output"])


async def test_a_cancel_answers_with_the_end(client: Any) -> None:
    """It is over at once here."""
    prediction = await predicted(client, "job_wait")

    reply = await client.send("POST", prediction["urls"]["cancel"].removeprefix(client.url))

    assert "canceled" == reply.json["status"]


@pytest.mark.parametrize("version", ["acme/kites", "acme/kites:" + "0" * 64])
async def test_a_version_names_its_model(client: Any, version: str) -> None:
    """With its hash or without."""
    body = {"version": version, "input": {"prompt": "a cat"}}

    reply = await client.send("POST", "/replicate/predictions", json=body)

    assert "acme/kites" == reply.json["model"]


async def test_the_rest_of_what_the_sdk_asks(client: Any) -> None:
    """Models, versions and files have the shapes that it reads."""
    model = await client.send("GET", "/replicate/v1/models/acme/kites")
    version = await client.send("GET", f"/replicate/v1/models/acme/kites/versions/{'0' * 64}")
    versions = await client.send("GET", "/replicate/v1/models/acme/kites/versions")
    file = await client.send("POST", "/replicate/v1/files", data=b"bytes")

    assert ("kites", "0" * 64, 1) == (model.json["name"], version.json["id"], len(versions.json["results"]))
    assert (201, 5) == (file.status, file.json["size"])


async def test_errors_are_problem_documents(client: Any) -> None:
    """Without an input, and for a prediction that nobody made."""
    missing = await client.send("POST", MODEL, json={})
    unknown = await client.send("GET", "/replicate/v1/predictions/nobody")

    assert (422, 404) == (missing.json["status"], unknown.json["status"])
