"""What a request costs, with the arithmetic shown, and what an outcome is charged.

Exact integers throughout. A quote is for one output times their number: rounding happens once per output, so n
outputs cost n times one. Where the request leaves its resolution, length, sound or quality open, the dearest that may
come out is quoted, held, and settled down to the fact. An amount that no ledger entry can hold is a refusal. Prices
are the catalog's; this module owns no figure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import assert_never

from gatekeeper.core.credits import AMOUNT_MICROCREDITS_MAX, credits_text
from gatekeeper.core.making import as_made, closings
from gatekeeper.core.outcome import Made
from gatekeeper.core.rating import has_open_input, price_of_tokens, rate
from gatekeeper.core.rejection import Code, number_text, refuse
from gatekeeper.core.request import ValidRequest
from gatekeeper.core.rules import AddOn, AddOnTrigger, Per, Price, TokenPrice
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import Capability, ModelSpec, PriceList


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a quote: what, the amount for one, how many, the sum. Micro-credits."""

    item: str
    unit_credits: int
    times: int

    @property
    def credits(self) -> int:
        return self.unit_credits * self.times


@dataclass(frozen=True, slots=True)
class Quote:
    """A price. `upper_bound`: the request left something open, or nobody knows it before; the charge may be lower."""

    lines: tuple[Line, ...]
    price_list: PriceList
    upper_bound: bool = False
    credits: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "credits", _sum(self.lines))


@dataclass(frozen=True, slots=True)
class Charge:
    """What an outcome is charged. `quote` is what it was worth; `over` is the part beyond the hold, not charged."""

    quote: Quote
    credits: int
    over: int = 0


def quote(model: ModelSpec, request: ValidRequest) -> Quote:
    """The exact price of a valid request, or the most it can come to.

    Raises `Rejected` (price_undetermined) when that is more than one entry of the ledger can hold.
    """
    return bookable(worth(model, request))


def bookable(found: Quote) -> Quote:
    """The same quote. Raises as `quote` does."""
    if found.credits > AMOUNT_MICROCREDITS_MAX:
        largest = credits_text(AMOUNT_MICROCREDITS_MAX)
        raise refuse(
            Code.PRICE_UNDETERMINED,
            f"This comes to more than {largest} credits, the most that can be held for one request. "
            "Ask for fewer outputs or send a smaller input.",
        )
    return found


def worth(model: ModelSpec, request: ValidRequest) -> Quote:
    """The same without a bound on the amount, for comparing and for charging: never raises for a valid request."""
    capability = _capability(model, request)
    found = [_all_lines(capability, closed) for closed in closings(capability, request)]
    amounts = [_sum(lines) for lines in found]
    dearest = max(amounts)
    may_be_less = min(amounts) < dearest or has_open_input(capability.price.rule, request)
    return Quote(found[amounts.index(dearest)], model.price_list, upper_bound=may_be_less)


def charge(model: ModelSpec, request: ValidRequest, made: Made, held: int) -> Charge:
    """What was made, priced from the same list, and never more than what was held for it. Never raises.

    What an outcome tells about time, pixels, sound or quality counts; the rest is priced as it was asked for, at its
    dearest where that was open. Tokens count as the provider billed them where tokens are the price; none at all tell
    nothing. A provider that makes more than was asked does so at its own risk; `over` records by how much.
    """
    capability = _capability(model, request)
    outputs = max(made.outputs, 0)
    if outputs and made.tokens and made.tokens > 0 and isinstance(capability.price.rule, TokenPrice):
        lines = _token_lines(capability, capability.price.rule, replace(request, outputs=outputs), made)
    else:
        facts = [replace(fact, outputs=count) for fact, count in _facts(capability, request, made, outputs).items()]
        lines = tuple(line for fact in facts for line in _dearest(capability, fact))
    once = _request_lines(capability.price, as_made(capability, request, made, None)) if outputs else ()
    total = Quote(lines + once, model.price_list)
    return Charge(total, min(total.credits, held), max(total.credits - held, 0))


def _facts(capability: Capability, request: ValidRequest, made: Made, outputs: int) -> Counter[ValidRequest]:
    """How many outputs came out as what."""
    shown: Counter[Pixels | None] = Counter(made.pixels[:outputs])
    shown[None] += outputs - shown.total()
    facts: Counter[ValidRequest] = Counter()
    for pixels, count in shown.items():
        if count:
            facts[as_made(capability, request, made, pixels)] += count
    return facts


def _capability(model: ModelSpec, request: ValidRequest) -> Capability:
    capability = model.capability(request.operation)
    assert capability is not None, "a valid request names an operation of its model"
    return capability


def _sum(lines: Iterable[Line]) -> int:
    return sum(line.credits for line in lines)


def _dearest(capability: Capability, request: ValidRequest) -> tuple[Line, ...]:
    return max((_output_lines(capability, closed) for closed in closings(capability, request)), key=_sum)


def _all_lines(capability: Capability, request: ValidRequest) -> tuple[Line, ...]:
    return _output_lines(capability, request) + _request_lines(capability.price, request)


def _output_lines(capability: Capability, request: ValidRequest) -> tuple[Line, ...]:
    """What every output costs, with what comes on top of each."""
    item, amount = rate(capability, request)
    return _with_add_ons(capability.price, request, Line(item, amount, request.outputs))


def _with_add_ons(price: Price, request: ValidRequest, first: Line) -> tuple[Line, ...]:
    lines = [first, *_add_ons(price, request, Per.OUTPUT, request.outputs)]
    short = price.minimum * request.outputs - _sum(lines)
    if short > 0 and short % request.outputs == 0:
        lines.append(Line("up to the minimum", short // request.outputs, request.outputs))
    elif short > 0:
        lines.append(Line("up to the minimum", short, 1))
    return tuple(lines)


def _request_lines(price: Price, request: ValidRequest) -> tuple[Line, ...]:
    """What comes on top once, however many outputs there are."""
    return tuple(_add_ons(price, request, Per.REQUEST, 1))


def _add_ons(price: Price, request: ValidRequest, per: Per, times: int) -> Iterator[Line]:
    for add_on in price.add_ons:
        count = _times(add_on, request) if add_on.per is per else 0
        if count:
            yield Line(f"add-on: {add_on.when.replace('_', ' ')}", add_on.credits, count * times)


def _times(add_on: AddOn, request: ValidRequest) -> int:
    """How often an add-on comes with one output, or with the request."""
    match add_on.when:
        case AddOnTrigger.ENHANCE_PROMPT:
            return int(request.enhance_prompt)
        case AddOnTrigger.AUDIO:
            return int(request.audio or request.audio_open)
        case AddOnTrigger.INPUT_VIDEO:
            return int(request.input_video)
        case AddOnTrigger.INPUT_IMAGE:
            return int(request.reference_images > 0)
        case AddOnTrigger.EACH_INPUT_IMAGE:
            return max(request.reference_images - add_on.free, 0)
        case _:
            assert_never(add_on.when)


def _token_lines(capability: Capability, rule: TokenPrice, request: ValidRequest, made: Made) -> tuple[Line, ...]:
    """The tokens of all outputs together, for that is how they are billed."""
    tokens = Fraction(max(made.tokens or 0, 0))
    fact = as_made(capability, request, made, None)
    closed = max(closings(capability, fact), key=lambda each: price_of_tokens(rule, each, tokens))
    line = Line(f"{number_text(tokens)} tokens", price_of_tokens(rule, closed, tokens), 1)
    return _with_add_ons(capability.price, closed, line)
