"""For any team and any file about it: doing it twice is doing it once, and nothing goes that is not pruned."""

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.admin.teams_difference import team_lines
from gatekeeper.admin.teams_schema import TeamEntry
from gatekeeper.admin.teams_wanted import wanted_team
from gatekeeper.ledger.teamrecord import Allowance, Caps, Limit, Per, Project, TeamRecord

CREDIT = 1_000_000
NAMES = st.sampled_from(["a", "b", "c"])
AMOUNTS = st.integers(1, 9)
SCOPES = st.sampled_from(["team", "member", "member:amy"])
PERS = st.sampled_from(["day", "month"])
FLAGS = st.none() | st.booleans()


def named(*words: str, **more: st.SearchStrategy[object]) -> st.SearchStrategy[list[dict[str, object]]]:
    """Entries of a file, each with a name of its own."""
    entry = st.fixed_dictionaries({"credits": AMOUNTS, **more})
    return st.lists(entry, max_size=3, unique_by=lambda each: tuple(str(each[word]) for word in words))


LIMITS = named("scope", "per", scope=SCOPES, per=PERS)
FILES = st.fixed_dictionaries(
    {"id": st.just("studio")},
    optional={
        "timezone": st.sampled_from(["UTC", "Europe/Berlin"]),
        "organisation": st.sampled_from(["none", "acme"]),
        "frozen": FLAGS,
        "shadow": FLAGS,
        "limits": LIMITS,
        "caps": st.fixed_dictionaries({}, optional={"per_request": AMOUNTS, "open_holds": AMOUNTS}),
        "models": st.fixed_dictionaries({}, optional={"allow": st.lists(NAMES), "deny": st.lists(NAMES)}),
        "allowances": named("id", id=NAMES, per=PERS),
        "projects": named("id", id=NAMES, per=PERS),
        "thresholds": st.lists(st.integers(1, 100), max_size=3),
        "alert_url": st.sampled_from(["none", "https://hooks.example.test/x"]),
    },
)
TEAMS = st.builds(
    TeamRecord,
    id=st.just("studio"),
    frozen=st.booleans(),
    limits=st.lists(
        st.builds(Limit, SCOPES, st.sampled_from(Per), AMOUNTS), unique_by=lambda each: (each.scope, each.per)
    ).map(tuple),
    caps=st.builds(Caps, open_holds=st.none() | AMOUNTS, held_credits=st.none() | AMOUNTS),
    models_deny=st.lists(NAMES).map(tuple),
    allowances=st.lists(
        st.builds(Allowance, NAMES, AMOUNTS, st.just(Per.DAY), st.just(7)), unique_by=lambda each: each.id
    ).map(tuple),
    projects=st.lists(st.builds(Project, NAMES, AMOUNTS), unique_by=lambda each: each.id).map(tuple),
    organisation=st.sampled_from(["", "acme"]),
)


def names_in(record: TeamRecord) -> set[object]:
    """Everything in a record that has a name of its own."""
    caps = {name for name in Caps.__dataclass_fields__ if getattr(record.caps, name) is not None}
    limits = {(limit.scope, limit.per) for limit in record.limits}
    plans = {("allowance", each.id) for each in record.allowances} | {("project", each.id) for each in record.projects}
    return caps | limits | plans


@given(said=FILES, before=TEAMS)
def test_what_is_there_stays(said: dict[str, object], before: TeamRecord) -> None:
    """Without pruning nothing that has a name is gone afterwards, and the second time nothing changes."""
    entry = TeamEntry.model_validate(said)
    after = wanted_team(entry, before, now_ms=1)

    assert names_in(before) <= names_in(after)
    assert after == wanted_team(entry, after, now_ms=2)


@given(said=FILES, before=TEAMS)
def test_pruning_leaves_what_the_file_says(said: dict[str, object], before: TeamRecord) -> None:
    """What is left has the file's names and no others; then there is nothing to do either way."""
    entry = TeamEntry.model_validate(said)
    after = wanted_team(entry, before, now_ms=1, prune=True)

    assert names_in(after) == names_in(wanted_team(entry, TeamRecord("studio"), now_ms=1))
    assert [] == team_lines(after, wanted_team(entry, after, now_ms=2, prune=True))
    assert [] == team_lines(after, wanted_team(entry, after, now_ms=2))


@given(said=FILES, before=TEAMS, prune=st.booleans())
def test_every_change_has_a_line(said: dict[str, object], before: TeamRecord, prune: bool) -> None:
    """A record that is another one is told as another one, and only then."""
    after = wanted_team(TeamEntry.model_validate(said), before, now_ms=1, prune=prune)

    assert (after != before) is bool(team_lines(before, after))
