"""A request as a command for a shell: every word quoted, the body laid out to be read, the key from the environment."""

import json
import shlex
from typing import Final

from gatekeeper.console.snippets.wire import PICTURE_FILE, Wire
from gatekeeper.dialects.base import CredentialPlace

KEY_VARIABLE: Final = "GATEKEEPER_KEY"
"""The environment variable that holds the key in every snippet; no snippet has a key in it."""


def curl_text(url: str, wire: Wire, credential: CredentialPlace) -> str:
    """One command. `url` is the provider's mount, which the path goes below."""
    words = [f"curl -sS {_quoted(url + wire.path)}", f'-H "{key_header(credential)}"']
    words += [f"-H {_quoted(f'{name}: {value}')}" for name, value in wire.headers]
    if wire.is_form:
        words += [f"-F {_quoted(f'{name}={value}')}" for name, value in wire.body.items()]
        words += [_picture(wire)] if wire.picture_field else []
    else:
        words += ["-H 'Content-Type: application/json'", f"-d {_quoted(json.dumps(wire.body, indent=2))}"]
    return " \\\n  ".join(words)


def _picture(wire: Wire) -> str:
    return f"-F {_quoted(f'{wire.picture_field}=@{PICTURE_FILE}')}"


def key_header(credential: CredentialPlace) -> str:
    """Where the provider's own clients have their key, with the shell's word for it."""
    if credential.kind == "header":
        return f"{credential.name}: ${KEY_VARIABLE}"
    word = credential.name if credential.kind == "bearer" and credential.name else "Bearer"
    return f"Authorization: {word} ${KEY_VARIABLE}"


def _quoted(text: str) -> str:
    return shlex.quote(text)
