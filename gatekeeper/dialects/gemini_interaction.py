"""Google's Interactions: what a body asks for, and what an interaction says of itself.

One endpoint for pictures and videos, at once, as a stream or in the background. One that goes on from an earlier
interaction edits what came of that, which must have been the team's own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from gatekeeper.core.outcome import Cost, Failed, Made, Outcome, Pending, Unknown
from gatekeeper.core.request import GenerationRequest, Operation
from gatekeeper.core.sizes import Pixels
from gatekeeper.dialects.answers import (
    Answer,
    filled_text,
    output_tokens,
    png_pixels,
    read_answer,
    read_job_id,
    read_tokens,
)
from gatekeeper.dialects.fields import joined_digest
from gatekeeper.dialects.gemini_request import LEFT_OUT, Inputs, check_tier
from gatekeeper.dialects.protofields import ProtoFields
from gatekeeper.dialects.sse import Event, EventSkimmer

_REFUSED = (
    "tools",
    "cachedContent",
    "continuationToken",
    "agent",
    "agentConfig",
    "environment",
)

_TASKS = {
    "text_to_video": Operation.VIDEO_GENERATE,
    "image_to_video": Operation.VIDEO_GENERATE,
    "reference_to_video": Operation.VIDEO_GENERATE,
    "edit": Operation.VIDEO_EDIT,
    "extend": Operation.VIDEO_EXTEND,
}

_MEDIA = ("image", "video")
_RUNNING = frozenset({"queued", "in_progress"})
_ENDED = frozenset(
    {"completed", "failed", "cancelled", "incomplete", "budget_exceeded", "requires_action", "requires_continuation"}
)
"""The last two wait for something that no interaction here can be given, so they are ends as well."""

_FILE = re.compile(r"files/([A-Za-z0-9_-]{1,100})")
_DEPTH_MAX = 4
"""A turn holds contents, and those hold no more."""


def read_interaction(body: ProtoFields) -> GenerationRequest:
    """A picture or a video, as its response format says; without one the model's own first operation."""
    body = body.spelled("snake_case")  # as Google's own SDK has it
    for name in _REFUSED:
        body.wrong(name, LEFT_OUT)
    check_tier(body)
    background = bool(body.flag("background"))
    if background and body.flag("store") is False:
        body.wrong("store", "true for work in the background: nobody could ask for its end")
    inputs = Inputs()
    earlier = body.text("previousInteractionId")
    if earlier is not None and read_job_id(earlier) is None:
        body.wrong("previousInteractionId", "an interaction's id")
    elif earlier is not None:
        inputs.sources.append(earlier)
    _read_input(body, "input", inputs, _DEPTH_MAX)
    wanted, kind = _read_format(body)
    config = body.inner("generationConfig")
    return GenerationRequest(
        model=body.text("model"),
        operation=_operation(config, kind, inputs, goes_on=earlier is not None),
        resolution=None if wanted is None else wanted.text("resolution" if kind == "video" else "imageSize"),
        aspect_ratio=None if wanted is None else wanted.text("aspectRatio"),
        duration_s=wanted.quantity("duration", "s") if wanted is not None and kind == "video" else None,
        prompt_length=inputs.length,
        prompt_digest=joined_digest(inputs.digests),
        reference_images=inputs.images or None,
        input_video=inputs.video,
        sources=tuple(inputs.sources),
        stream=bool(body.flag("stream")),
    )


def _read_input(fields: ProtoFields, name: str, inputs: Inputs, depth: int) -> None:
    """A text, one content, or a list of contents and turns; a turn holds contents."""
    if fields.holds_text(name):
        inputs.take_text(fields, name)
        return
    if depth == 0:
        fields.wrong(name, "a text or a list of contents, no deeper")
        return
    for each in fields.one_or_more(name):
        inputs.take_text(each, "text")
        kind = each.text("type")
        inputs.take_file(each, "uri")
        if kind in _MEDIA or each.given("mimeType"):
            inputs.take_media(f"{kind}/" if kind in _MEDIA else each.text("mimeType"))
        if each.given("content"):
            _read_input(each, "content", inputs, depth - 1)


def _read_format(body: ProtoFields) -> tuple[ProtoFields | None, str | None]:
    """The one picture or video that is asked for, and which of the two; in the old spelling a picture only."""
    found = list[tuple[ProtoFields, str]]()
    for each in body.one_or_more("responseFormat"):
        kind = each.text("type")
        if kind in _MEDIA:
            found.append((each, kind))
        elif kind != "text":
            body.wrong("responseFormat", "formats whose type is image, video or text")
    config = body.inner("generationConfig")
    old = None if config is None else config.inner("imageConfig")
    if old is not None:
        found.append((old, "image"))
    if len(found) > 1:
        body.wrong("responseFormat", "one format of an image or a video")
    modalities = (word.lower() for word in body.words("responseModalities"))
    return found[0] if found else (None, next((word for word in modalities if word in _MEDIA), None))


def _operation(config: ProtoFields | None, kind: str | None, inputs: Inputs, *, goes_on: bool) -> Operation | None:
    video = None if config is None else config.inner("videoConfig")
    task = None if video is None else video.text("task")
    if video is not None and task is not None and task not in _TASKS:
        video.wrong("task", ", ".join(_TASKS))
    if kind == "video" or task is not None:
        asked = _TASKS.get(task or "")
        return asked or (Operation.VIDEO_EDIT if inputs.video or goes_on else Operation.VIDEO_GENERATE)
    if kind == "image":
        return Operation.IMAGE_EDIT if inputs.images or goes_on else Operation.IMAGE_GENERATE
    return None


@dataclass(slots=True)
class Found:
    """Pictures and videos that are really there."""

    pixels: list[Pixels | None] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    words: bool = False

    def take(self, content: object) -> None:
        """One content of an output."""
        entry = cast("Answer", content) if isinstance(content, dict) else {}
        if entry.get("type") in _MEDIA and (filled_text(entry.get("data")) or filled_text(entry.get("uri"))):
            self.pixels.append(png_pixels(entry.get("data")))
            self.files.extend(file_names(entry.get("uri")))
        self.words = self.words or (entry.get("type") == "text" and filled_text(entry.get("text")))


def file_names(uri: object) -> Iterator[str]:
    """The name of the file behind an address, as downloads spell it: `files/abc`."""
    match = _FILE.search(uri) if isinstance(uri, str) else None
    if match is not None:
        yield f"files/{match[1]}"


def interaction_outcome(answer: Answer) -> Outcome:
    """Where an interaction stands, and what it made."""
    found = Found()
    for content in _outputs(answer):
        found.take(content)
    return _outcome(answer, found)


def _outputs(answer: Answer) -> Iterator[object]:
    """Contents of the model's own steps, and of `outputs`, as earlier versions call them."""
    steps = answer.get("steps")
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict) and step.get("type") == "model_output":
            contents = step.get("content")
            yield from contents if isinstance(contents, list) else ()
    outputs = answer.get("outputs")
    yield from outputs if isinstance(outputs, list) else ()


def _status(answer: Answer) -> str:
    """The word for where it stands; "" for what is no word."""
    status = answer.get("status")
    return status if isinstance(status, str) else ""


def _outcome(answer: Answer, found: Found) -> Outcome:
    status, job_id = _status(answer), read_job_id(answer.get("id"))
    if status in _RUNNING and job_id is not None:
        return Pending(job_id)
    if status not in _ENDED:
        return Unknown("the answer says no status that is known")
    cost, tokens = _usage(answer)
    if found.pixels:
        note = "" if status == "completed" else str(status)
        return Made(
            len(found.pixels),
            tuple(found.pixels),
            note=note,
            tokens=tokens,
            cost=cost,
            job_id=job_id,
            files=tuple(found.files),
        )
    if status == "completed" and found.words:
        return Failed("words and no picture", billable=True, cost=cost)
    return Failed("nothing in the answer" if status == "completed" else str(status), cost=cost)


def _usage(answer: Answer) -> tuple[Cost | None, int | None]:
    """All output tokens as the cost; those of pictures and videos as what is billed for them."""
    usage = answer.get("usage")
    told = cast("Answer", usage) if isinstance(usage, dict) else {}
    parts = told.get("output_tokens_by_modality")
    entries = [cast("Answer", each) for each in parts if isinstance(each, dict)] if isinstance(parts, list) else []
    media = [count for each in entries if each.get("modality") in _MEDIA and (count := read_tokens(each.get("tokens")))]
    total = read_tokens(told.get("total_output_tokens")) or sum(media) or None
    return output_tokens(total), sum(media) or None


class InteractionStream:
    """Reads an interaction that comes as events. Pictures and videos come in deltas, the status in the last event."""

    __slots__ = ("_error", "_events", "_found", "_last")

    def __init__(self) -> None:
        self._events = EventSkimmer()
        self._found = Found()
        self._last: Answer = {}
        self._error: str | None = None

    def feed(self, chunk: bytes) -> None:
        for event in self._events.feed(chunk):
            self._take(event)

    def finish(self, *, complete: bool) -> Outcome:
        """An interaction that was cut goes on without us if its id is known: it can be asked for its end."""
        last = self._events.rest()
        if last is not None:
            self._take(last)
        if _status(self._last) in _ENDED:
            return _outcome(self._last, self._found)
        if self._found.pixels:
            return Made(len(self._found.pixels), tuple(self._found.pixels), note=self._error or "cut")
        if self._error is not None:
            return Failed(self._error)
        job_id = read_job_id(self._last.get("id"))
        if job_id is not None:
            return Pending(job_id)
        return Unknown("the stream ended before its end" if complete else "the stream was cut")

    def _take(self, event: Event) -> None:
        answer = read_answer(event.skeleton)
        if answer is None:
            return
        kind = answer.get("event_type") or event.name
        if kind == "error" or answer.get("error"):
            self._error = self._error or "error in the stream"
        elif kind == "step.delta":
            self._found.take(answer.get("delta"))
        elif isinstance(answer.get("interaction"), dict):
            self._take_interaction(cast("Answer", answer["interaction"]))
        elif kind == "interaction.status_update":
            self._last |= {"id": answer.get("interaction_id"), "status": answer.get("status")}

    def _take_interaction(self, interaction: Answer) -> None:
        """The whole of it at its end, which tells every output if it tells any."""
        self._last |= interaction
        whole = Found()
        for content in _outputs(interaction):
            whole.take(content)
        if len(whole.pixels) >= max(len(self._found.pixels), 1):
            self._found = whole
