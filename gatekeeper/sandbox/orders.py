"""From what a dialect has read to specs of pictures and films, refused as a provider would refuse them."""

from dataclasses import replace
from typing import Any

from gatekeeper.core.sizes import Pixels
from gatekeeper.sandbox.call import ProviderError
from gatekeeper.sandbox.movie import MovieSpec, movie_spec
from gatekeeper.sandbox.picture import Format, PictureSpec, picture_spec


def pictures(
    prompt: str, model: str, pixels: Pixels, count: int, format_: Format = Format.PNG
) -> tuple[PictureSpec, ...]:
    """So many pictures of one prompt, numbered."""
    spec = picture_spec(prompt, model, pixels.width, pixels.height, format_)
    return tuple(replace(spec, number=number, of=count) for number in range(1, count + 1))


def one_film(prompt: str, model: str, pixels: Pixels, duration_s: Any) -> MovieSpec:
    """A film. Raises `ProviderError` 400 for a duration that is none."""
    try:
        return movie_spec(prompt, model, pixels.width, pixels.height, float(duration_s))
    except (TypeError, ValueError) as error:
        raise ProviderError(400, f"duration: {error}.", code="InvalidParameter", param="duration") from error
