"""A request as a program with the provider's official SDK, pointed at the gateway and otherwise as in its own manual.

Only for calls that the SDK has; for the others curl says it. The key is read from the environment.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from gatekeeper.console.snippets.curl import KEY_VARIABLE
from gatekeeper.console.snippets.wire import PICTURE_FILE, Wire

INDENT: Final = "    "
WIDTH_MAX: Final = 88
"""A literal that fits in a line stands in one."""

_KEY: Final = f'os.environ["{KEY_VARIABLE}"]'


def python_text(dialect: str, url: str, host_url: str | None, upstream_id: str, wire: Wire) -> str | None:
    """The program, or None where the SDK has no call for it. `url` is the provider's mount, `host_url` its own host's
    address where it has one."""
    if not wire.call:
        return None
    write = _PROGRAMS.get(dialect)
    return None if write is None else write(_Place(url, host_url, upstream_id), wire)


class _Place:
    """Where the provider is reached."""

    __slots__ = ("host_url", "upstream_id", "url")

    def __init__(self, url: str, host_url: str | None, upstream_id: str) -> None:
        self.url, self.host_url, self.upstream_id = url, host_url, upstream_id


def literal(value: Any, depth: int = 0) -> str:
    """A value of JSON as Python writes it, in lines where it is long."""
    flat = _flat(value)
    if not isinstance(value, dict | list) or not value or len(flat) + len(INDENT) * depth <= WIDTH_MAX:
        return flat
    inner, outer = INDENT * (depth + 1), INDENT * depth
    if isinstance(value, dict):
        rows = [f"{inner}{_text(name)}: {literal(each, depth + 1)},\n" for name, each in value.items()]
        return "{\n" + "".join(rows) + outer + "}"
    return "[\n" + "".join(f"{inner}{literal(each, depth + 1)},\n" for each in value) + outer + "]"


def _flat(value: Any) -> str:
    """The same in one line, with the quotes that formatters prefer."""
    match value:
        case str():
            return _text(value)
        case dict():
            return "{" + ", ".join(f"{_text(name)}: {_flat(each)}" for name, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flat, value)) + "]"
        case _:
            return repr(value)


def _text(value: str) -> str:
    """JSON's strings are Python's too."""
    return json.dumps(value, ensure_ascii=False)


def _arguments(values: Mapping[str, Any]) -> str:
    return "".join(f"{INDENT}{name}={literal(value, 1)},\n" for name, value in values.items())


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


_OPENAI_IMAGE_FIELDS: Final = frozenset({"model", "prompt", "n", "size", "quality"})
"""What the SDK has an argument for; all else goes into its `extra_body`."""


def _openai(place: _Place, wire: Wire) -> str:
    known = {
        name: value for name, value in wire.body.items() if name in _OPENAI_IMAGE_FIELDS or wire.call == "videos.create"
    }
    more = {name: value for name, value in wire.body.items() if name not in known}
    values = known | ({"extra_body": more} if more else {})
    picture = f'{INDENT}image=open("{PICTURE_FILE}", "rb"),\n' if wire.is_form else ""
    shown = (
        "print(made.id, made.status)"
        if wire.call == "videos.create"
        else "print(made.data[0].url or made.data[0].b64_json[:40])"
    )
    return (
        f'import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="{place.url}/v1", api_key={_KEY})\n'
        f"made = client.{wire.call}(\n{_arguments(values)}{picture})\n{shown}\n"
    )


def _gemini(place: _Place, wire: Wire) -> str:
    vertex = f"vertexai=True,\n{INDENT}" if wire.call == "generate_videos" else ""
    head = (
        "import os\n\nfrom google import genai\nfrom google.genai import types\n\n"
        f"client = genai.Client(\n{INDENT}{vertex}api_key={_KEY},\n"
        f'{INDENT}http_options=types.HttpOptions(base_url="{place.url}"),\n)\n'
    )
    match wire.call:
        case "generate_content":
            return head + _content(place, wire)
        case "generate_videos":
            return head + _videos(place, wire)
        case _:
            call = f"made = client.interactions.create(\n{_arguments({**wire.body, 'background': True})})\n"
            return head + call + "print(made.id, made.status)\n"


def _content(place: _Place, wire: Wire) -> str:
    config = wire.body["generationConfig"]
    image = {_snake(name): value for name, value in config.get("imageConfig", {}).items()}
    parts = []
    for part in wire.body["contents"][0]["parts"]:
        file = part.get("fileData")
        uri = None if file is None else f'types.Part.from_uri(file_uri={_text(file["fileUri"])}, mime_type="image/png")'
        parts.append(_text(part["text"]) if uri is None else uri)
    listed = "".join(f"{INDENT * 2}{part},\n" for part in parts)
    sized = f"{INDENT * 2}image_config=types.ImageConfig({_inline(image)}),\n" if image else ""
    return (
        f"made = client.models.generate_content(\n{INDENT}model={_text(place.upstream_id)},\n"
        f"{INDENT}contents=[\n{listed}{INDENT}],\n{INDENT}config=types.GenerateContentConfig(\n"
        f'{INDENT * 2}response_modalities=["IMAGE"],\n{sized}{INDENT}),\n)\n'
        "print([part.inline_data.mime_type for part in made.parts if part.inline_data])\n"
    )


_VEO_NAMES: Final = {"sampleCount": "number_of_videos"}


def _videos(place: _Place, wire: Wire) -> str:
    config = {_VEO_NAMES.get(name) or _snake(name): value for name, value in wire.body["parameters"].items()}
    return (
        f"made = client.models.generate_videos(\n{INDENT}model={_text(place.upstream_id)},\n"
        f"{INDENT}source=types.GenerateVideosSource(prompt={_text(wire.body['instances'][0]['prompt'])}),\n"
        f"{INDENT}config=types.GenerateVideosConfig({_inline(config)}),\n)\nprint(made.name)\n"
    )


def _inline(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={literal(value)}" for name, value in values.items())


def _fal(place: _Place, wire: Wire) -> str | None:
    """The SDK reads its hosts when it is imported, and speaks https only."""
    if not place.url.startswith("https://"):
        return None
    host = place.url.removeprefix("https://")
    call = "fal_client.submit" if wire.call == "subscribe" else "fal_client.run"
    shown = "print(made.request_id)" if wire.call == "subscribe" else 'print(made["images"][0]["url"])'
    return (
        f'import os\n\nos.environ["FAL_RUN_HOST"] = "{host}/run"\n'
        f'os.environ["FAL_QUEUE_RUN_HOST"] = "{host}/queue"\nos.environ["FAL_KEY"] = {_KEY}\n\n'
        f"import fal_client\n\nmade = {call}(\n{INDENT}{_text(place.upstream_id)},\n"
        f"{INDENT}arguments={literal(wire.body, 1)},\n)\n{shown}\n"
    )


def _replicate(place: _Place, wire: Wire) -> str:
    return (
        f'import os\n\nimport replicate\n\nclient = replicate.Client(base_url="{place.url}", api_token={_KEY})\n'
        f"made = client.models.predictions.create(\n{INDENT}model={_text(place.upstream_id)},\n"
        f"{INDENT}input={literal(wire.body['input'], 1)},\n)\nprint(made.id, made.status)\n"
    )


def _runway(place: _Place, wire: Wire) -> str:
    values = {_snake(name): value for name, value in wire.body.items()}
    return (
        f'import os\n\nfrom runwayml import RunwayML\n\nclient = RunwayML(base_url="{place.url}", api_key={_KEY})\n'
        f"made = client.{wire.call}(\n{_arguments(values)})\nprint(made.id)\n"
    )


def _luma(place: _Place, wire: Wire) -> str:
    return (
        "import os\n\nfrom lumaai import LumaAI\n\n"
        f'client = LumaAI(base_url="{place.url}/dream-machine/v1", auth_token={_KEY})\n'
        f"made = client.{wire.call}(\n{_arguments(wire.body)})\nprint(made.id, made.state)\n"
    )


def _bfl(place: _Place, wire: Wire) -> str | None:
    """The SDK drops a path from its base URL, so without a host of its own there is no reaching it."""
    if place.host_url is None:
        return None
    return (
        "import os\n\nfrom blackforest import BFLClient\n\n"
        f'client = BFLClient(base_url="{place.host_url}", api_key={_KEY})\n'
        f"made = client.generate(\n{INDENT}{_text(place.upstream_id)},\n{INDENT}{literal(dict(wire.body), 1)},\n)\n"
        "print(made.id)\n"
    )


_PROGRAMS: Final[Mapping[str, Callable[[_Place, Wire], str | None]]] = {
    "openai": _openai,
    "recraft": _openai,
    "xai": _openai,
    "gemini": _gemini,
    "fal": _fal,
    "replicate": _replicate,
    "runway": _runway,
    "luma": _luma,
    "bfl": _bfl,
}
