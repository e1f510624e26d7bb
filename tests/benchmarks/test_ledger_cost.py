"""What the ledger's calls are measured against does the same work."""

from benchmarks.ledger_cost import pipeline_calls
from benchmarks.ledger_store import found, new_store, orders


async def test_the_librarys_pipeline_makes_the_same_holds() -> None:
    """Otherwise its time would be that of refusals."""
    async with new_store(0) as store:
        await found(store.ledger, "plain")
        todo = orders("plain", 3)
        await pipeline_calls(store.redis, todo)

        balance = await store.ledger.balance("plain")

    assert sum(order.amount for order in todo) == balance.held
