"""The secrets that a teams file names: read from where they are, kept as their SHA-256 only, and never repeated."""

from dataclasses import dataclass, field

from gatekeeper.admin.teams_schema import KeyEntry, TeamsFile
from gatekeeper.sections import describe_secret, read_secret
from gatekeeper.web.auth import KEY_PATTERN, key_sha256
from gatekeeper.yamlfile import DataPath, Problem

KEY_PREFIX = "gk_"

PUBLIC_KEYS = frozenset({"gk_demo"})
"""Keys that everybody knows: in a store they would be an open door."""

SECRET_CHARS_MIN = 20
"""Behind `gk_`: 20 characters drawn from 64 are 120 random bits. What is shorter was thought up, and a public port lets
anybody try."""

MEND = (
    "Draw one: python3 -c 'import secrets; print(\"gk_\" + secrets.token_hex(24))'. It is gk_ and then "
    f"{SECRET_CHARS_MIN} to 128 letters, digits, - and _ that nobody can guess."
)


@dataclass(slots=True)
class Secrets:
    """The keys' hashes by their place in the file. `missing` are secrets that are not there, `wrong` unusable ones."""

    sha256: dict[DataPath, str] = field(default_factory=dict)
    missing: list[Problem] = field(default_factory=list)
    wrong: list[Problem] = field(default_factory=list)


def read_secrets(teams: TeamsFile) -> Secrets:
    """Every key's secret from where the file says it is, as its SHA-256; the secret itself is not kept."""
    secrets = Secrets()
    first: dict[str, str] = {}
    for path, team, key in teams.all_keys():
        place = (*path, "secret")
        try:
            secret = read_secret(key.secret, teams.file.path.parent)
        except LookupError as error:
            mend = "Set it where this runs, or remove the key from the file."
            secrets.missing.append(teams.file.problem(place, str(error), mend))
            continue
        if what := _unusable(secret, key):
            secrets.wrong.append(teams.file.problem(place, what, MEND))
            continue
        sha256 = key_sha256(secret)
        name = f"key {key.id} of team {team.id}"
        if first.setdefault(sha256, name) != name:
            what = f"the secret is also that of {first[sha256]}"
            secrets.wrong.append(teams.file.problem(place, what, "Give each key a secret of its own."))
        secrets.sha256[path] = sha256
    return secrets


def _unusable(secret: str, key: KeyEntry) -> str | None:
    """What is wrong with a secret, without repeating it."""
    if secret in PUBLIC_KEYS:
        return f"{describe_secret(key.secret)} holds the demo's key, which everybody knows"
    if not secret.isascii() or not KEY_PATTERN.fullmatch(secret.encode()):
        return f"{describe_secret(key.secret)} holds no gatekeeper key"
    if len(secret) < len(KEY_PREFIX) + SECRET_CHARS_MIN:
        return f"{describe_secret(key.secret)} holds a key that is too short to be safe"
    return None
