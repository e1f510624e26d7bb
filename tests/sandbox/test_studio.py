"""The studio stays within its memory and draws again what it forgot."""

import asyncio

from gatekeeper.sandbox.picture import PictureSpec, paint, picture_spec
from gatekeeper.sandbox.studio import Studio


def spec(prompt: str = "a cat") -> PictureSpec:
    return picture_spec(prompt, "m", 64, 64)


async def test_a_picture_is_drawn_once() -> None:
    """The second time it is the very same object, not drawn again."""
    studio = Studio(cache_bytes=10**6, files=10)

    first, second = await studio.picture(spec()), await studio.picture(spec())

    assert first is second


async def test_simultaneous_wishes_for_one_picture_share_it() -> None:
    """A burst of equal requests costs a few drawings, not one each."""
    studio = Studio(cache_bytes=10**6, files=10)

    made = await asyncio.gather(*(studio.picture(spec()) for _ in range(50)))

    assert len({id(picture) for picture in made}) <= 4


async def test_the_cache_is_bounded_in_bytes() -> None:
    """Older pictures make room for newer ones."""
    one = len(paint(spec()))
    studio = Studio(cache_bytes=3 * one, files=10)

    for number in range(20):
        await studio.picture(spec(f"cat {number}"))

    assert 0 < studio.cached_bytes <= 3 * one


async def test_a_picture_larger_than_the_cache_is_made_all_the_same() -> None:
    """A cache of nothing caches nothing."""
    studio = Studio(cache_bytes=0, files=10)

    assert paint(spec()) == await studio.picture(spec())
    assert 0 == studio.cached_bytes


async def test_only_the_newest_files_are_remembered() -> None:
    """The record of files has a bound; the oldest goes first."""
    studio = Studio(cache_bytes=0, files=3)

    names = [studio.keep_file(spec(f"cat {number}")) for number in range(10)]

    assert 3 == studio.files_kept
    assert [False] * 7 + [True] * 3 == [studio.file(name) is not None for name in names]


async def test_a_file_name_depends_on_the_picture_only() -> None:
    """The same request gives the same URL in every run."""
    first, second = Studio(cache_bytes=0, files=3), Studio(cache_bytes=0, files=3)

    assert first.keep_file(spec()) == second.keep_file(spec())
