"""What a writer is given and what it makes: the wanted generation, and a request in one wire format.

The pictures and films that go in are placeholders at addresses of nobody; which they are changes no price.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatekeeper.console.freesizes import size_of_shape
from gatekeeper.core.rejection import number_text
from gatekeeper.core.request import Operation, ValidRequest
from gatekeeper.core.sizes import Pixels
from gatekeeper.core.spec import Audio, Capability

PROMPT: Final = "a lighthouse at dusk"
PICTURE_URL: Final = "https://example.com/picture.png"
VIDEO_URL: Final = "https://example.com/video.mp4"
PICTURE_FILE: Final = "picture.png"
"""A file of the caller's own, where a form wants one."""

_STARTS_FROM_PICTURE: Final = ("i2v", "image-to-video", "gen4_turbo", "gen3a_turbo", "Hailuo-2.3-Fast")
"""Parts of upstream ids of films that begin with a picture. It goes in beside the prompt and has no price."""

_AREAS: Final = {"512": 512, "1K": 1024, "2K": 2048, "3K": 3072, "4K": 4096}
"""The side of a square of each tier, to find a size of it where the vendor's is not published."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A POST below the provider's mount.

    `body` is its JSON, or the fields of a form (`is_form`), which has the picture under `picture_field`. `headers` are
    those beside key and content type. `call` names what the SDK has for it, "" where it has nothing.
    """

    path: str
    body: Mapping[str, Any]
    call: str = ""
    is_form: bool = False
    picture_field: str = "image"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The generation that is to be written, for the model's id at one provider."""

    upstream_id: str
    valid: ValidRequest
    capability: Capability = field(repr=False)

    @property
    def operation(self) -> Operation:
        return self.valid.operation

    @property
    def is_film(self) -> bool:
        return self.operation.startswith("video.")

    @property
    def is_edit(self) -> bool:
        return self.operation is Operation.IMAGE_EDIT

    @property
    def pictures(self) -> int:
        """How many go in: what was chosen, and one where there must be one."""
        needed = self.is_edit or any(part in self.upstream_id for part in _STARTS_FROM_PICTURE)
        return max(self.valid.reference_images, int(needed))

    @property
    def picture_urls(self) -> list[str]:
        first, *others = range(1, self.pictures + 1) or (0,)
        return [PICTURE_URL, *(f"https://example.com/picture-{each}.png" for each in others)] if first else []

    @property
    def tier(self) -> str | None:
        return self.valid.resolution

    @property
    def tier_lower(self) -> str | None:
        """`720p`, `4k`: as most formats of films have it."""
        return None if self.tier is None else self.tier.lower()

    @property
    def ratio(self) -> str | None:
        return self.valid.aspect_ratio

    @property
    def outputs(self) -> int | None:
        """Their number, where it is more than the one that is made when nothing is said."""
        return self.valid.outputs if self.valid.outputs > 1 else None

    @property
    def sound(self) -> bool | None:
        """What is to be said about sound; None where there is nothing to say."""
        if self.capability.audio is not Audio.OPTIONAL or self.valid.audio_open or self.leaves_sound:
            return None
        return self.valid.audio

    @property
    def leaves_sound(self) -> bool:
        """Whether nobody said anything about sound, and it costs nothing."""
        return "audio" in self.valid.defaulted and not self.capability.price.sounds_differ

    @property
    def seconds(self) -> int | float | None:
        duration_s = self.valid.duration_s
        if duration_s is None:
            return None
        return int(duration_s) if duration_s.denominator == 1 else float(duration_s)

    @property
    def seconds_text(self) -> str | None:
        return None if self.valid.duration_s is None else number_text(self.valid.duration_s)

    @property
    def enhance(self) -> bool | None:
        return True if self.valid.enhance_prompt else None

    @property
    def scale(self) -> int | float | None:
        scale = self.valid.scale
        if scale is None:
            return None
        return int(scale) if scale.denominator == 1 else float(scale)

    @property
    def size(self) -> Pixels | None:
        """The pixels of it: those that the model makes, else some of that shape, where it takes any."""
        if self.valid.size is not None or self.capability.size_range is None or self.ratio is None:
            return self.valid.size
        side = _AREAS.get(self.tier or "")
        return size_of_shape(self.capability.size_range, self.ratio, None if side is None else side * side)


Writer = Callable[[Wanted], Iterator[Wire]]
"""The requests that may say it, the likeliest first; which of them does is seen by reading them again."""


def said(**fields: Any) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value is not None}
