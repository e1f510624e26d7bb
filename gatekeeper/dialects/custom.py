"""A home-made backend whose wire format is described in config: its routes, and where in its JSON everything stands.

It can say what most in-house services are like: JSON objects both ways, an answer at once or a job that is asked for.
Forms, event streams and several bodies for one route it cannot say; a backend that needs those wants a dialect of its
own. What config says is checked before it gets here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import orjson

from gatekeeper.core.outcome import Cost, CostUnit, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.rejection import Rejection
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import Answer, code_word, read_pixels, read_tokens
from gatekeeper.dialects.base import (
    NO_HEADERS,
    Ask,
    BillingRule,
    JobLink,
    OutcomeReader,
    Rendered,
    Route,
    RouteKind,
    Traits,
)
from gatekeeper.dialects.complaints import no_job
from gatekeeper.dialects.facts import Facts, explain, rejection_facts, rejection_headers
from gatekeeper.dialects.fields import JsonFields, read_only_json
from gatekeeper.dialects.jsonanswer import JsonAnswer, read_amount, read_id, read_seconds, read_tier
from gatekeeper.dialects.pointers import Pointer, look_up
from gatekeeper.dialects.routes import RouteTable, Row, row


@dataclass(frozen=True, slots=True)
class CustomRoute:
    """One open route; `template` as in `routes`. `operation` is what a generation does."""

    kind: RouteKind
    method: str
    template: str
    query: tuple[str, ...] = ()
    operation: Operation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomAnswer:
    """Where things stand in an answer. `content`, `width`, `height` and `file` are pointers into each output; one whose
    `content` is missing is not there.

    `states` says what each word at `status` means: `done`, `failed` or `running`.
    """

    outputs: Pointer
    content: Pointer = ()
    width: Pointer | None = None
    height: Pointer | None = None
    file: Pointer | None = None
    job_id: Pointer | None = None
    status: Pointer | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    error_code: Pointer | None = None
    duration_s: Pointer | None = None
    resolution: Pointer | None = None
    audio: Pointer | None = None
    tokens: Pointer | None = None
    cost: Pointer | None = None
    cost_unit: CostUnit = "usd"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomPlan:
    """A whole format. `fields` are pointers into requests by the names of `FIELDS`; `error_message` is where a refusal
    has its sentence; `links` are the places of addresses, as `Traits` has them."""

    routes: tuple[CustomRoute, ...]
    fields: Mapping[str, Pointer]
    answer: CustomAnswer
    error_message: Pointer
    links: tuple[str, ...] = ()
    failed_is_charged: bool = False


class CustomDialect:
    """A dialect made of a plan."""

    def __init__(self, plan: CustomPlan) -> None:
        self.TRAITS = _traits(plan)
        self._plan = plan
        self._table = RouteTable(*map(_row, plan.routes))
        self._poll = next((each for each in plan.routes if each.kind is RouteKind.POLL), None)

    def routes(self) -> tuple[tuple[str, str, Route], ...]:
        return self._table.routes()

    def find_route(self, method: str, path: str) -> Route | None:
        return self._table.find(method, path)

    def read_request(self, route: Route, content_type: str, body: Sequence[bytes]) -> GenerationRequest:
        """What the fields say that the plan points to. Raises `Rejected`: malformed_request or missing_parameter."""
        places = _Places(read_only_json(content_type, body), self._plan.fields)
        request = _request(route, places)
        places.body.finish()
        return request

    def outcome_reader(
        self,
        route: Route,
        status: int,
        content_type: str,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> OutcomeReader:
        """A reader of the one shape that answers have, those to polls and cancels too."""
        about_job = route.kind is not RouteKind.GENERATION
        return JsonAnswer(status, lambda answer: self._read(answer, route.job), about_job=about_job)

    def job_named(self, route: Route, query: Mapping[str, str], body: Sequence[bytes]) -> str:
        """The job, or the file, in the path."""
        if route.job is None:
            raise no_job()
        return route.job

    def ask(self, link: JobLink) -> Ask | None:
        if self._poll is None:
            return None
        route = self.find_route(self._poll.method, self._poll.template.replace("{job}", link.job_id))
        return None if route is None else Ask(self._poll.method, route)

    def render_rejection(self, rejection: Rejection, request_id: str) -> Rendered:
        """The sentence where the plan has it, and every fact beside it."""
        *outer, name = self._plan.error_message
        body: Facts = {**rejection_facts(rejection, request_id), name: explain(rejection)}
        for token in reversed(outer):
            body = {token: body}
        headers = (*rejection_headers(rejection, "application/json"), ("x-request-id", request_id))
        return Rendered(rejection.status, headers, orjson.dumps(body))

    def render_stream_error(self, rejection: Rejection, request_id: str) -> bytes | None:
        """None: there are no streams."""
        return None

    def _read(self, answer: Answer, asked: str | None) -> Outcome:
        """`asked` is the job that was asked for, which an answer need not repeat."""
        places = self._plan.answer
        job_id = (read_id(look_up(answer, places.job_id)) if places.job_id else None) or asked
        word = None if places.status is None else _word(look_up(answer, places.status))
        meant = None if word is None else places.states.get(word)
        if meant == "failed":
            code = None if places.error_code is None else _word(look_up(answer, places.error_code))
            reason = code_word(code) or code_word(word) or "failed"
            return Failed(reason, self._plan.failed_is_charged, _cost(answer, places))
        if meant == "running":
            return Pending(job_id) if job_id else Unknown("it runs, and has no id to ask for it by")
        if word is not None and meant is None:
            return Unknown("the word for where the job stands is not one that config names")
        return self._made(answer, job_id, is_done=meant == "done")

    def _made(self, answer: Answer, job_id: str | None, *, is_done: bool) -> Outcome:
        """What is there, if anything is. What is not there yet is a job, unless the answer says that it is done."""
        places = self._plan.answer
        listed = look_up(answer, places.outputs)
        found = listed if isinstance(listed, list) else [listed]
        outputs = [each for each in found if look_up(each, places.content)]
        if outputs:
            return _read_made(answer, outputs, places, job_id)
        if job_id is not None and self._poll is not None and not is_done:
            return Pending(job_id)
        said_none = is_done or isinstance(listed, list)
        return Failed("no output in the answer") if said_none else Unknown("the answer has no outputs")


class _Places:
    """The fields of a body by their names in the plan, wherever they stand."""

    __slots__ = ("_holders", "_pointers", "body")

    def __init__(self, body: JsonFields, pointers: Mapping[str, Pointer]) -> None:
        self.body = body
        self._pointers = pointers
        self._holders: dict[Pointer, JsonFields | None] = {(): body}

    def at(self, name: str) -> tuple[JsonFields, str] | None:
        """The object that holds the field, and what the field is called in it. None: there is no such object."""
        pointer = self._pointers.get(name)
        if pointer is None:
            return None
        holder, begin = self.body, 0
        for end in range(1, len(pointer)):
            inner = self._inner(holder, pointer[begin:end], pointer[:end])
            if isinstance(inner, JsonFields):
                holder, begin = inner, end
            elif inner is None:
                return None
        return (holder, pointer[-1]) if begin == len(pointer) - 1 else None

    def _inner(self, holder: JsonFields, names: Pointer, path: Pointer) -> JsonFields | bool | None:
        """The object one step further; True where a list wants a number yet; None where there is none."""
        if path not in self._holders:
            if len(names) == 1 and holder.holds_list(names[0]):
                return True
            self._holders[path] = _element(holder, *names) if len(names) > 1 else holder.inner(names[0])
        return self._holders[path]


def _element(holder: JsonFields, name: str, number: str) -> JsonFields | None:
    """The object of this number in a list of objects."""
    listed = holder.objects(name)
    return listed[int(number)] if number.isascii() and number.isdecimal() and int(number) < len(listed) else None


def _request(route: Route, places: _Places) -> GenerationRequest:
    def text(name: str) -> str | None:
        return at[0].text(at[1]) if (at := places.at(name)) else None

    def whole(name: str) -> int | None:
        return at[0].whole(at[1]) if (at := places.at(name)) else None

    def quantity(name: str, unit: str) -> Fraction | None:
        return at[0].quantity(at[1], unit) if (at := places.at(name)) else None

    def flag(name: str) -> bool | None:
        return at[0].flag(at[1]) if (at := places.at(name)) else None

    def digest(name: str) -> bytes | None:
        return at[0].text_digest(at[1]) if (at := places.at(name)) else None

    def length(name: str) -> int | None:
        return at[0].text_length(at[1]) if (at := places.at(name)) else None

    def count(name: str) -> int | None:
        at = places.at(name)
        counted = at[0].count(at[1]) if at else 0
        return counted if at and at[0].raw(at[1]) else None

    if route.model is not None and (at := places.at("model")) and at[0].given(at[1]):
        at[0].wrong(at[1], "left out: the path names the model")
    rectangle = _rectangle(places, "width", "height")
    return GenerationRequest(
        model=route.model or text("model"),
        operation=route.operation,
        resolution=text("resolution"),
        aspect_ratio=text("aspect_ratio"),
        size=text("size") if rectangle is None else f"{rectangle.width}*{rectangle.height}",
        outputs=whole("outputs"),
        duration_s=quantity("duration_s", "s"),
        audio=flag("audio"),
        scale=quantity("scale", "x"),
        input_pixels=_rectangle(places, "input_width", "input_height"),
        quality=text("quality"),
        enhance_prompt=flag("enhance_prompt"),
        prompt_length=length("prompt"),
        prompt_digest=digest("prompt"),
        reference_images=count("reference_images"),
        input_video=count("input_video") is not None,
    )


def _rectangle(places: _Places, width: str, height: str) -> Pixels | None:
    """A width and a height, both or neither: of one alone nobody knows what it makes of the other."""
    sides: list[int | None] = []
    for name in (width, height):
        at = places.at(name)
        value = None if at is None else at[0].whole(at[1])
        if at is not None and value is not None and value < 1:
            at[0].wrong(at[1], "a number of pixels")
        sides.append(value)
    if sides.count(None) == 1:
        missing = width if sides[0] is None else height
        places.body.missing(missing, "a number of pixels beside the other side's")
    return read_pixels(*sides)


def _word(value: object) -> str | None:
    """A state or a code as a text; some backends have numbers for them."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None


def _read_made(answer: Answer, outputs: Sequence[object], places: CustomAnswer, job_id: str | None) -> Made:
    def found(pointer: Pointer | None) -> object:
        return None if pointer is None else look_up(answer, pointer)

    audio = found(places.audio)
    return Made(
        len(outputs),
        tuple(_pixels(each, places) for each in outputs),
        duration_s=read_seconds(found(places.duration_s)),
        resolution=read_tier(found(places.resolution)),
        audio=audio if isinstance(audio, bool) else None,
        tokens=read_tokens(found(places.tokens)),
        cost=_cost(answer, places),
        job_id=job_id,
        files=_files(outputs, places.file),
    )


def _files(outputs: Sequence[object], pointer: Pointer | None) -> tuple[str, ...]:
    named = (None if pointer is None else read_id(look_up(each, pointer)) for each in outputs)
    return tuple(name for name in named if name is not None)


def _pixels(output: object, places: CustomAnswer) -> Pixels | None:
    if places.width is None or places.height is None:
        return None
    return read_pixels(look_up(output, places.width), look_up(output, places.height))


def _cost(answer: Answer, places: CustomAnswer) -> Cost | None:
    amount = None if places.cost is None else read_amount(look_up(answer, places.cost))
    return None if amount is None else Cost(amount, places.cost_unit)


def _row(each: CustomRoute) -> Row:
    takes_body = each.kind is not RouteKind.GENERATION and each.method == "POST"
    # An id may have colons in it.
    template = each.template.replace("{job}", "{job:}").replace("{file}", "{file:}")
    return row(
        each.method, template, each.kind, f"{each.method} {each.template}", each.operation,
        query=frozenset(each.query), takes_body=takes_body,
    )  # fmt: skip


def _traits(plan: CustomPlan) -> Traits:
    source = "the provider's own settings"
    charged, free = BillingRule("failed", "in full", source), BillingRule("failed", "nothing", source)
    return Traits(
        title="a backend of one's own",
        links=plan.links,
        billing=(charged if plan.failed_is_charged else free,),
        reads=tuple("/" + "/".join(pointer) for pointer in plan.fields.values()),
        settles_from="what its settings point to",
        sdk="none: status 402",
    )
