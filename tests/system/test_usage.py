"""A team's usage over HTTP: what it spent, by what it asks for, and nothing of another team."""

import csv
import io

from tests.system.world import World


async def test_usage_says_what_the_balance_says(world: World) -> None:
    """Two generations that were charged, by phase; the credits are the team's charged credits."""
    key = await world.key()
    await world.native(key, headers={"Gatekeeper-Phase": "final", "Gatekeeper-Project": "spring"}, resolution="2K")
    await world.native(key)

    answer = await world.send("GET", "/v1/usage?by=phase,project,model", key)

    rows = [(row["phase"], row["project"], row["credits"], row["generations"]) for row in answer.json["rows"]]
    assert [("final", "spring", 73.5, 1), (None, None, 49, 1)] == rows
    assert {"nano-banana-2"} == {row["model"] for row in answer.json["rows"]}
    assert {"credits": 122.5, "generations": 2, "released": 0, "outputs": 2} == answer.json["total"]
    assert 122_500_000 == (await world.balance()).charged


async def test_usage_as_a_file(world: World) -> None:
    """The same as CSV, with a name for the file."""
    key = await world.key()
    await world.native(key)

    answer = await world.send("GET", "/v1/usage?by=model,resolution&format=csv", key)

    assert ("text/csv; charset=utf-8", 200) == (answer.headers["Content-Type"], answer.status)
    assert 'filename="usage-team-0-' in answer.headers["Content-Disposition"]
    assert [
        ["model", "resolution", "credits", "generations", "released", "outputs"],
        ["nano-banana-2", "1K", "49", "1", "0", "1"],
    ] == list(csv.reader(io.StringIO(answer.body.decode())))


async def test_usage_of_another_team_is_not_there(world: World) -> None:
    """A key shows its own team's usage, whatever the others do."""
    await world.native(await world.key())

    answer = await world.send("GET", "/v1/usage", await world.key())

    assert ("team-1", []) == (answer.json["team"], answer.json["rows"])


async def test_a_query_that_cannot_be_answered(world: World) -> None:
    """A wrong parameter is refused as what it is, and says what there is."""
    answer = await world.send("GET", "/v1/usage?by=colour", await world.key())

    assert (400, "malformed_request") == (answer.status, answer.json["code"])
    assert "`by` has colour" in answer.json["detail"]
