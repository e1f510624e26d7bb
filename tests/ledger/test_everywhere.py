"""The ledger's own tests once more: on a cluster of three masters, and through sentinels with a replica that confirms.

Each store is started once, by the first test that needs it; `tests/scheduling.py` gives all its tests to one process.
"""

from collections.abc import AsyncIterator, Iterator

import pytest

from gatekeeper.ledger.address import read_address
from gatekeeper.ledger.batch import Patience
from gatekeeper.ledger.client import StoreClient, open_client
from gatekeeper.ledger.confirm import Confirm
from tests.ledger import (
    test_jobs,
    test_ledger,
    test_ledger_once,
    test_lua_end,
    test_lua_hold,
    test_lua_team,
    test_sweeper,
    test_terms,
    test_transfers,
    test_verify,
)
from tests.ledger.conftest import close_without_leaks
from tests.ledger.test_model import run_machine
from tests.ledger.topologies import ClusterOf, SentinelSet, Topology

AGAIN = (
    test_jobs, test_ledger, test_ledger_once, test_lua_end, test_lua_hold, test_lua_team, test_sweeper, test_verify,
)  # fmt: skip
NOT_HERE = {
    "test_failed_walk_is_told_and_not_the_last",  # renames a key across slots to break the store
}

for module in AGAIN:
    globals().update({n: f for n, f in vars(module).items() if n.startswith("test_")})
for name in NOT_HERE:
    del globals()[name]  # an error where the test has another name by now

test_credits_go_from_one_team_to_another = test_transfers.test_credits_go_from_one_team_to_another
test_the_same_transfer_again_changes_nothing = test_transfers.test_the_same_transfer_again_changes_nothing
test_a_receiver_that_cannot_take_it_yet = test_transfers.test_a_receiver_that_cannot_take_it_yet
test_a_half_that_is_gone_is_named = test_transfers.test_a_half_that_is_gone_is_named

test_a_deadline_is_put_off_and_journalled = test_terms.test_a_deadline_is_put_off_and_journalled

pair = test_transfers.pair
busy = test_verify.busy
with_lots = test_verify.with_lots
_replay = test_jobs._replay


@pytest.fixture(scope="session")
def started() -> Iterator[dict[str, Topology]]:
    """The stores that were needed so far; they end with the session."""
    started: dict[str, Topology] = {}
    yield started
    for each in started.values():
        each.close()


@pytest.fixture(params=["cluster", "sentinel"])
def topology(request: pytest.FixtureRequest, started: dict[str, Topology]) -> Topology:
    """A store of several servers."""
    if request.param not in started:
        start = {"cluster": lambda: ClusterOf(3), "sentinel": lambda: SentinelSet(1, "--appendonly", "yes")}
        started[request.param] = start[request.param]()
    return started[request.param]


@pytest.fixture
async def client(topology: Topology) -> AsyncIterator[StoreClient]:
    """A client of the whole store, which is empty."""
    confirm = Confirm(replicas=1) if isinstance(topology, SentinelSet) else Confirm()
    client = await open_client(read_address(topology.url), Patience(budget_s=10, attempts=100), confirm)
    await client.each("FLUSHALL")
    yield client
    await close_without_leaks(client)


@pytest.mark.timeout(300)
def test_scripts_agree_with_the_model(topology: Topology):
    """1,000 random steps: the model holds here too."""
    run_machine(topology.url, 20)
