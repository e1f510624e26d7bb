"""Settings that Ark takes out of the text of a video's prompt: `--resolution 720p --dur 5`.

Ark obeys them for every model and passes over what it cannot read, making its default instead. So whatever looks like
one must be written as its documents write it, in lower case with spaces around: nobody can tell what a flag that Ark
may not understand will cost. Nothing else of a text is looked at, and nothing of it is quoted, for it is a prompt.
"""

import re
from collections.abc import Iterable, Mapping

from gatekeeper.dialects.complaints import Complaints

TEXT_BYTES_MAX = 16 * 1024
"""The longest text that is read beside pictures; Ark recommends at most 1,000 words."""

_NAMES = {
    "resolution": "resolution",
    "rs": "resolution",
    "ratio": "ratio",
    "rt": "ratio",
    "duration": "duration",
    "dur": "duration",
    "frames": "frames",
}
_FLAG = re.compile(r"(\S?)--([A-Za-z]+)(\s*)(\S{0,20})")
_FORMS = {
    "resolution": (re.compile(r"[0-9]{3,4}[pP]|[1-9][kK]"), "a resolution such as 720p"),
    "ratio": (re.compile(r"[0-9]{1,2}:[0-9]{1,2}|adaptive"), "a ratio such as 16:9, or adaptive"),
    "duration": (re.compile(r"[0-9]{1,3}|-1"), "a whole number of seconds"),
    "frames": (re.compile(r"[0-9]{1,4}"), "a whole number of frames"),
}


def read_flags(texts: Iterable[str], complaints: Complaints) -> Mapping[str, str]:
    """The settings in these texts by their long names. Notes those that cannot be read, or say two things."""
    found: dict[str, str] = {}
    for text in texts:
        for before, word, space, value in _FLAG.findall(text):
            name = _NAMES.get(word.lower())
            if name is None:
                continue
            form, wanted = _FORMS[name]
            if before or not space or word != word.lower():
                complaints.wrong(f"--{word.lower()}", "written another way", "in lower case with spaces around it")
            elif form.fullmatch(value) is None:
                complaints.wrong(f"--{word.lower()}", "what stands behind it in the text", wanted)
            elif found.setdefault(name, value) != value:
                complaints.wrong(f"--{word.lower()}", "one of several", "the only one of its kind in the text")
    return found
