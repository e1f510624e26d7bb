"""The admin token: from the settings, else one that is made on the first start and kept in the data directory."""

import os
import secrets
import shlex
from pathlib import Path

from pydantic import SecretStr

VARIABLE = "GATEKEEPER_ADMIN_TOKEN"
FILE_NAME = "admin-token"
TOKEN_BYTES = 32
"""256 random bits."""


def admin_token(stated: SecretStr | None, data_dir: Path) -> str:
    """The token. The file is made with mode 0600 and never shown."""
    if stated is not None and stated.get_secret_value().strip():
        return stated.get_secret_value().strip()
    path = token_file(data_dir)
    try:
        return path.read_text("ascii").strip() or _make(path)
    except FileNotFoundError:
        return _make(path)


def token_file(data_dir: Path) -> Path:
    """Where the token is that was made here."""
    return data_dir / FILE_NAME


def shell_word(stated: SecretStr | None, data_dir: Path) -> str:
    """The token as a shell finds it, for a command to paste; it is not in there itself."""
    if stated is not None and stated.get_secret_value().strip():
        return f"${VARIABLE}"
    return f"$(cat {shlex.quote(str(token_file(data_dir)))})"


def _make(path: Path) -> str:
    """Whoever makes the file first wins; a second process reads what is there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    token = f"gka_{secrets.token_urlsafe(TOKEN_BYTES)}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return token
