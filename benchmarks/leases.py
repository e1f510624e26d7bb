"""Credit leases, simulated: what a hot team would cost the store if gateways held its credits in advance.

    python -m benchmarks.leases

A lease is an amount that one gateway takes from a team's balance in one step, as a hold does, and out of which it holds
for many generations without asking. Nothing of it is built; docs/scaling.md has the design. This is a model of it with
one team, several gateways and a clock of its own: no store, no network, and the same figures at every run.
"""

import heapq
import itertools
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

PRICES: Final = (28, 35, 49, 98)
"""What a generation may cost, in credits."""

MADE_MIN: Final = 0.5
"""The least share of its hold that a generation is charged."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. `lease_s`: a lease is worth so many seconds of what its gateway spends; 0: every hold is the store's."""

    lease_s: float = 1.0
    gateways: int = 8
    rate: float = 2000.0  # generations a second, of all gateways
    seconds: float = 20.0
    grant: int = 10_000_000
    latency_s: float = 0.5  # of the provider
    report_s: float = 0.1  # between two reports of what a lease was spent on
    ttl_s: float = 30.0  # after which a lease that nobody speaks for any more lapses
    share: float = 0.05  # the most of what is available that one lease may take
    crashes: tuple[float, ...] = ()
    seed: int = 1


@dataclass(slots=True)
class Outcome:
    """What a run came to. Credits but for the counts."""

    asked: int = 0
    admitted: int = 0
    refused: int = 0
    refused_early: int = 0  # although what nobody used anywhere would have paid for it
    calls: int = 0  # of the store
    leased_most: int = 0  # in leases and not in use, at the worst moment
    unreported: int = 0  # made, and died with its gateway: nobody is charged
    lapsed: int = 0  # came back from leases of gateways that died
    charged: int = 0
    available: int = 0
    overspent: int = 0

    @property
    def calls_each(self) -> float:
        """Calls of the store for a generation that was admitted."""
        return self.calls / max(self.admitted, 1)


@dataclass(slots=True)
class Lease:
    """`left` is free, `held` in flight, `spent` charged and not reported yet: together what the store has aside."""

    left: int = 0
    held: int = 0
    spent: int = 0

    @property
    def aside(self) -> int:
        """What the store knows of it."""
        return self.left + self.held + self.spent


@dataclass(slots=True)
class Store:
    """The books of the team: what is available, what leases have, what is charged."""

    available: int
    calls: int = 0
    leased: int = 0
    charged: int = 0

    def take(self, amount: int) -> bool:
        """A lease or more of one; all or nothing, like a hold."""
        self.calls += 1
        if amount > self.available:
            return False
        self.available -= amount
        self.leased += amount
        return True

    def report(self, spent: int, back: int) -> None:
        """What was spent out of a lease is charged, what is not wanted any more is available again."""
        self.calls += 1
        self.leased -= spent + back
        self.charged += spent
        self.available += back


@dataclass(slots=True)
class Run:
    """A run while it goes on: what is to happen, in order, and what it has come to."""

    plan: Plan
    store: Store
    leases: list[Lease]
    draw: random.Random
    out: Outcome = field(default_factory=Outcome)
    due: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def at(self, when_s: float, act: Callable[[float], None]) -> None:
        """Let this happen then."""
        heapq.heappush(self.due, (when_s, next(self.numbers), act))

    @property
    def size(self) -> int:
        """What a lease asks for: what its gateway spends in `lease_s`, but no large part of what there is."""
        spent_a_second = self.plan.rate / self.plan.gateways * sum(PRICES) / len(PRICES)
        return min(int(spent_a_second * self.plan.lease_s), int(self.store.available * self.plan.share))

    def ask(self, now_s: float) -> None:
        """A caller, at any gateway."""
        self.at(now_s + self.draw.expovariate(self.plan.rate), self.ask)
        place = self.draw.randrange(self.plan.gateways)
        lease, price = self.leases[place], self.draw.choice(PRICES)
        self.out.asked += 1
        if not self.admit(lease, price):
            self.out.refused += 1
            # Whatever is free in leases of others would have done: nobody is refused for credits that lie idle.
            self.out.refused_early += self.store.available + sum(each.left for each in self.leases) >= price
            return
        self.out.admitted += 1
        lease.left -= price
        lease.held += price
        made = int(price * self.draw.uniform(MADE_MIN, 1.0))
        self.at(now_s + self.plan.latency_s, lambda _: self.end(place, lease, price, made))

    def admit(self, lease: Lease, price: int) -> bool:
        """From the lease; else from more of it; else as a hold is made today; and before a refusal all give back."""
        if lease.left >= price:
            return True
        if self.more(lease, max(self.size, price)) or (self.size > price and self.more(lease, price)):
            return True
        idle = [each for each in self.leases if each.left and self.plan.lease_s]
        for each in idle:
            self.give_back(each)
        return bool(idle) and self.more(lease, price)

    def more(self, lease: Lease, amount: int) -> bool:
        """Whether the store had it."""
        taken = self.store.take(amount)
        lease.left += amount if taken else 0
        return taken

    def end(self, place: int, lease: Lease, price: int, made: int) -> None:
        """The provider has answered. A gateway that died meanwhile hears of it no more."""
        if self.leases[place] is not lease:
            self.out.unreported += made
            return
        lease.held -= price
        lease.spent += made
        lease.left += price - made
        if not self.plan.lease_s:  # without leases each generation is settled by itself
            self.give_back(lease)

    def give_back(self, lease: Lease) -> None:
        """Reports, and keeps nothing that is not in flight."""
        self.store.report(lease.spent, lease.left)
        lease.spent = lease.left = 0

    def tell(self, now_s: float) -> None:
        """All gateways report what was spent; what a lease has too much of goes back."""
        self.at(now_s + self.plan.report_s, self.tell)
        for lease in self.leases:
            too_much = max(lease.left - 2 * self.size, 0)
            if self.plan.lease_s and (lease.spent or too_much):
                self.store.report(lease.spent, too_much)
                lease.spent, lease.left = 0, lease.left - too_much
        self.out.leased_most = max(self.out.leased_most, sum(each.left for each in self.leases))

    def crash(self, now_s: float) -> None:
        """A gateway dies with its lease, and another takes its place; the lease lapses when its time has come."""
        place = int(now_s * 1000) % self.plan.gateways  # drawing it would change the luck of all that follows
        dead, self.leases[place] = self.leases[place], Lease()
        self.out.unreported += dead.spent
        self.at(now_s + self.plan.ttl_s, lambda _: self.lapse(dead))

    def lapse(self, dead: Lease) -> None:
        """Nobody speaks for it: as with a hold whose outcome is not known, it goes back."""
        self.out.lapsed += dead.aside
        self.store.report(0, dead.aside)


def simulate(plan: Plan) -> Outcome:
    """One run, to the end of all that was begun in it. The books must come out even: AssertionError if they do not."""
    run = Run(plan, Store(plan.grant), [Lease() for _ in range(plan.gateways)], random.Random(plan.seed))
    run.at(0.0, run.ask)
    run.at(plan.report_s, run.tell)
    for when_s in plan.crashes:
        run.at(when_s, run.crash)
    end_s = plan.seconds + plan.latency_s + plan.ttl_s
    while run.due and run.due[0][0] <= end_s:
        when_s, _, act = heapq.heappop(run.due)
        if when_s > plan.seconds and act == run.ask:
            continue
        act(when_s)
        _check(run)
    for lease in run.leases:
        run.give_back(lease)
    run.out.calls, run.out.charged, run.out.available = run.store.calls, run.store.charged, run.store.available
    run.out.overspent = max(-run.store.available, 0)
    return run.out


def _check(run: Run) -> None:
    """At every moment: what was granted is available, in leases, or charged, and nothing is below zero."""
    store = run.store
    assert run.plan.grant == store.available + store.leased + store.charged
    assert min(store.available, store.leased) >= 0


ROWS: Final = (0.0, 0.05, 0.2, 1.0, 5.0)
"""Leases that are compared, in seconds of what a gateway spends."""


def table() -> list[str]:
    """The table of docs/scaling.md. The team is rich first, and gateways die; then its credits come to an end."""
    base = Plan(crashes=(5.07, 12.04))
    rows = [
        "| a lease is worth | store calls a generation | idle in leases at most | lost by two crashes "
        "| calls a request as credits end | refused early | left of 400,000 |",
        "|---|---|---|---|---|---|---|",
    ]
    for lease_s in ROWS:
        rich = simulate(replace(base, lease_s=lease_s))
        poor = simulate(replace(base, lease_s=lease_s, grant=400_000, crashes=()))
        rows.append(
            f"| {f'{lease_s:g} s' if lease_s else 'no leases'} | {rich.calls_each:.3f} | {rich.leased_most:,} "
            f"| {rich.unreported:,} | {poor.calls / poor.asked:.2f} | {poor.refused_early} | {poor.available} |"
        )
    return rows


def main() -> None:
    """Prints the table."""
    sys.stdout.write("\n".join(table()) + "\n")


if __name__ == "__main__":
    main()
