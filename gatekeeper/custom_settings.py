"""The settings that describe a home-made backend's wire format: the `custom` section of a provider. docs/custom.md.

Only what they say is checked here, as far as it can be without a backend; what it means is `dialects/custom.py`'s.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from gatekeeper.core.outcome import CostUnit
from gatekeeper.core.request import Operation
from gatekeeper.core.validate import NEEDS_PROMPT
from gatekeeper.sections import Section
from gatekeeper.yamlfile import Mistake, mistake, raise_mistakes

_TEMPLATE = re.compile(r"(GET|POST|PUT|DELETE) ((?:/(?:[A-Za-z0-9._~:-]+|\{(?:model[:*]?|job|file)\}))+)")
_POINTER = re.compile(r"(/(?:[^~/]|~0|~1)*)+")
_QUERY_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _pointer(text: str) -> str:
    if not _POINTER.fullmatch(text):
        raise mistake(f"{text!r} is no JSON Pointer", "Write /name/inner; ~ as ~0, and a slash within a name as ~1.")
    return text


def _link(text: str) -> str:
    if "." in _pointer(text) or "~" in text:
        raise mistake(f"{text!r} cannot be the place of a link", "Names with dots or slashes in them are not followed.")
    return text


Pointer = Annotated[str, AfterValidator(_pointer)]
"""A place in a JSON document (RFC 6901)."""

LinkPointer = Annotated[str, AfterValidator(_link)]
"""A place where an address stands; `*` is each element of a list."""


class CustomJobRoute(Section):
    """A route about a job."""

    path: str
    query: tuple[str, ...] = ()

    @property
    def method(self) -> str:
        return self.path.partition(" ")[0]

    @property
    def template(self) -> str:
        return self.path.partition(" ")[2]

    @property
    def names(self) -> tuple[str, ...]:
        """What varies in the path."""
        return tuple(re.findall(r"\{([a-z]+)", self.template))

    @model_validator(mode="after")
    def _is_route(self) -> Self:
        if not _TEMPLATE.fullmatch(self.path):
            raise mistake(
                f"{self.path!r} is no route", "Write a method and a path, such as 'POST /render' or 'GET /jobs/{job}'."
            )
        if not all(_QUERY_NAME.fullmatch(name) for name in self.query):
            raise mistake("a name in query cannot be one", "Use letters, digits and _ . -, at most 64 of them.")
        return self


class CustomRoute(CustomJobRoute):
    """A route that makes something, and what."""

    operation: Operation


class CustomFields(Section):
    """Where in a request that stands which a price or a check depends on."""

    model: Pointer | None = None
    prompt: Pointer | None = None
    resolution: Pointer | None = None
    aspect_ratio: Pointer | None = None
    size: Pointer | None = None
    width: Pointer | None = None
    height: Pointer | None = None
    outputs: Pointer | None = None
    duration_s: Pointer | None = None
    audio: Pointer | None = None
    scale: Pointer | None = None
    quality: Pointer | None = None
    enhance_prompt: Pointer | None = None
    input_width: Pointer | None = None
    input_height: Pointer | None = None
    reference_images: Pointer | None = None
    input_video: Pointer | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        found = list(self._mistakes())
        raise_mistakes(found)
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        for one, other in (("width", "height"), ("input_width", "input_height")):
            given = [name for name in (one, other) if getattr(self, name) is not None]
            if len(given) == 1:
                yield Mistake((given[0],), "one side says nothing about the other", f"Give {one} and {other}.")
        if self.size is not None and self.width is not None:
            yield Mistake(("size",), "there is width besides", "Give size, or width and height.")
        twice = Counter(value for value in self.given().values())
        for name, value in self.given().items():
            if twice[value] > 1:
                yield Mistake((name,), f"{value!r} is the place of two fields", "Give each its own.")

    def given(self) -> dict[str, str]:
        """The pointers that are there, by name."""
        return {name: value for name, value in self if value is not None}


class CustomStates(Section):
    """The words for where a job stands."""

    done: tuple[str, ...] = Field(min_length=1)
    failed: tuple[str, ...] = Field(min_length=1)
    running: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _mean_one_thing(self) -> Self:
        words = Counter((*self.done, *self.failed, *self.running))
        twice = sorted(word for word, count in words.items() if count > 1)
        if twice:
            raise mistake(f"{', '.join(map(repr, twice))} stands twice", "Give each word one meaning.")
        return self


class CustomAnswer(Section):
    """Where in an answer that stands which a charge is made from. Those of an output are pointers into each output."""

    outputs: Pointer
    content: Pointer | None = None
    width: Pointer | None = None
    height: Pointer | None = None
    file: Pointer | None = None
    job_id: Pointer | None = None
    status: Pointer | None = None
    states: CustomStates | None = None
    error_code: Pointer | None = None
    duration_s: Pointer | None = None
    resolution: Pointer | None = None
    audio: Pointer | None = None
    tokens: Pointer | None = None
    cost: Pointer | None = None
    cost_unit: CostUnit = "usd"

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        pairs = (("width", "height"), ("height", "width"), ("status", "states"), ("states", "status"))
        raise_mistakes(
            [
                Mistake((one,), f"it means nothing without {other}", f"Give {other} too.")
                for one, other in pairs
                if getattr(self, one) is not None and getattr(self, other) is None
            ]
        )
        return self


class CustomSettings(Section):
    """A whole format."""

    routes: tuple[CustomRoute, ...]
    fields: CustomFields
    answer: CustomAnswer
    poll: CustomJobRoute | None = None
    cancel: CustomJobRoute | None = None
    download: CustomJobRoute | None = None
    error_message: Pointer = "/error/message"
    links: tuple[LinkPointer, ...] = ()
    failed_is_charged: bool = False

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        raise_mistakes([*self._route_mistakes(), *self._field_mistakes(), *self._job_mistakes()])
        return self

    def _route_mistakes(self) -> Iterator[Mistake]:
        if not self.routes:
            yield Mistake(("routes",), "is empty", "Give at least one.")
        paths = Counter(each.path for each in (*self.routes, *self.job_routes().values()))
        for number, each in enumerate(self.routes):
            where: tuple[str | int, ...] = ("routes", number, "path")
            if each.method not in {"POST", "PUT"} or set(each.names) - {"model"}:
                yield Mistake(where, f"{each.path!r} makes nothing", "Use POST or PUT, and no name but {model}.")
            if paths[each.path] > 1:
                yield Mistake(where, f"{each.path!r} stands twice", "Give each route once.")

    def _field_mistakes(self) -> Iterator[Mistake]:
        """What would have every request of a route refused, or a field that is never looked at."""
        fields = self.fields
        for operation in dict.fromkeys(each.operation for each in self.routes):
            does_without = operation is Operation.VIDEO_GENERATE and (fields.reference_images or fields.input_video)
            if operation in NEEDS_PROMPT and not fields.prompt and not does_without:
                what = f"{operation} needs a prompt, and no field is its place"
                yield Mistake(("fields",), what, "Give prompt, such as prompt: /prompt.")
        if fields.model is not None and self.routes and all("model" in each.names for each in self.routes):
            what = "the model is in every route's path, and may not be in a body besides"
            yield Mistake(("fields", "model"), what, "Leave it out here, or {model} out of a path.")

    def nameless_routes(self) -> tuple[int, ...]:
        """The numbers of the routes whose requests cannot name a model."""
        named = self.fields.model is not None
        return tuple(number for number, each in enumerate(self.routes) if not named and "model" not in each.names)

    def _job_mistakes(self) -> Iterator[Mistake]:
        for kind, each in self.job_routes().items():
            methods, names = _JOB_ROUTES[kind]
            if each.method not in methods or len(each.names) != 1 or each.names[0] not in names:
                wanted = " or ".join(f"{{{name}}}" for name in names)
                mend = f"Use {' or '.join(methods)}, and {wanted} once."
                yield Mistake((kind, "path"), f"{each.path!r} names no job", mend)
            if kind != "poll" and self.poll is None:
                yield Mistake((kind,), "without poll nobody knows how a job ended", "Give poll too.")
        if self.poll is not None:
            for name in ("job_id", "status"):
                if getattr(self.answer, name) is None:
                    yield Mistake(("answer",), f"a job needs {name}", f"Say where {name} stands.")

    def job_routes(self) -> dict[Literal["poll", "cancel", "download"], CustomJobRoute]:
        """Those that there are."""
        routes = {"poll": self.poll, "cancel": self.cancel, "download": self.download}
        return {kind: each for kind, each in routes.items() if each is not None}  # type: ignore[misc]


_JOB_ROUTES = {
    "poll": (("GET",), ("job",)),
    "cancel": (("POST", "DELETE"), ("job",)),
    "download": (("GET",), ("job", "file")),
}
"""For each: its methods, and what its path names."""
