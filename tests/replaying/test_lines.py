"""Log files are read as a stream: packed or not, cut off, mixed with other lines, larger than memory."""

import gzip
import io
import tracemalloc
from pathlib import Path

import orjson
import pytest

from gatekeeper.replaying.lines import LINE_BYTES_MAX, LogFiles, read_line
from tests.replaying.scene import Place, admitted, line, settled, shadow_of


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def read(*paths: Path) -> tuple[LogFiles, list[int]]:
    """The files, and the times of their events."""
    files = LogFiles(paths)
    return files, [each.at_ms // 1000 % 100_000 for each in files.events(lambda _done, _of: None)]


def test_files_are_one_stream_in_the_order_of_time(place: Place) -> None:
    """Two gateways wrote at once."""
    first = place.log(line("x", "10:00:00"), line("x", "10:00:02"), name="a")
    second = place.log(line("x", "10:00:01"), line("x", "10:00:03"), name="b")

    _, times = read(second, first)

    assert sorted(times) == times
    assert 4 == len(times)


@pytest.mark.parametrize(
    ("text", "is_event"),
    [
        (b'{"event":"x","timestamp":"2027-03-01T10:00:00Z"}', True),
        (b'Mar 1 host gk[7]: {"event":"x","timestamp":"2027-03-01T10:00:00+01:00"}', True),
        (b'{"event":"x","timestamp":"2027-03-01 10:00:00"}', True),
        (b'{"event":"x"}', False),
        (b'{"event":"x","timestamp":"9999-12-31T23:59:59Z"}', False),
        (b'{"event":"x","timestamp":"0001-01-01T00:00:00+14:00"}', False),
        (b'{"event":7,"timestamp":"2027-03-01T10:00:00Z"}', False),
        (b'{"event":"x","timestamp":"yesterday"}', False),
        (b'{"event":"x","timestamp":12}', False),
        (b'["event"]', False),
        (b"{", False),
        (b"\xff\xfe", False),
    ],
)
def test_a_line_is_an_event_or_none(text: bytes, is_event: bool) -> None:
    """Whatever bytes come: one or the other, and no exception."""
    assert is_event == (read_line(text) is not None)


def test_a_packed_file_that_is_cut_off_is_read_as_far_as_it_goes(place: Place) -> None:
    """And it is named."""
    whole = gzip.compress(b"".join(orjson.dumps(line("x", request_id=str(n))) + b"\n" for n in range(2000)))
    cut = place.directory / "a.gz"
    cut.write_bytes(whole[: len(whole) // 2])

    files, times = read(cut)

    assert 0 < len(times) < 2000
    assert [str(cut)] == files.cut


def test_a_line_that_is_far_too_long_is_passed_by(place: Place) -> None:
    """It is one unreadable line, however long, and the next one is read."""
    log = place.log(line("x"), b'{"a":"' + b"x" * (3 * LINE_BYTES_MAX) + b'"}\n', line("x"))

    files, times = read(log)

    assert (2, 3, 1) == (len(times), files.lines, files.unreadable)


def test_a_huge_file_takes_little_memory(place: Place) -> None:
    """Some megabytes, packed, are read within a few."""
    packed, text = (
        io.BytesIO(),
        b"".join(
            orjson.dumps(each) + b"\n"
            for n in range(50)
            for each in (admitted(f"h{n}", note="x" * 400), settled(f"h{n}"))
        ),
    )
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        for _ in range(200):
            file.write(text)
    log = place.directory / "huge.gz"
    log.write_bytes(packed.getvalue())
    files = LogFiles([log])
    told = list[tuple[int, int]]()

    tracemalloc.start()
    count = sum(1 for _ in files.events(lambda done, of: told.append((done, of))))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (20_000, True) == (count, len(text) * 200 > 12_000_000)
    assert peak_bytes < 4_000_000
    assert sorted(told) == told
    assert (log.stat().st_size,) * 2 == told[-1]


def test_a_shadow_is_summed_up(place: Place) -> None:
    """By team, by code and by model, the most frequent first; what had no price holds nothing."""
    log = place.log(
        line("generation.shadowed", code="limit_exceeded", codes=[], credits_held=73.5),
        line("generation.shadowed", code="limit_exceeded", codes=[], credits_held=49, team="other"),
        line("generation.shadowed", code="model_not_found", codes=[], credits_held=None, model="none"),
        admitted("a"),
    )

    found = shadow_of(log)

    assert (3, 1, 122.5) == (found["requests"], found["unpriced"], found["credits_at_stake"])
    assert [("limit_exceeded", 2, 122.5), ("model_not_found", 1, 0)] == [
        (row["code"], row["requests"], row["credits_at_stake"]) for row in found["codes"]
    ]
    assert ["studio", "other"] == [row["team"] for row in found["teams"]]
    assert {"a-model": 2, "none": 1} == {row["model"]: row["requests"] for row in found["models"]}


@pytest.mark.parametrize("held", [True, "many", 1e30, {}])
def test_a_shadow_of_odd_credits_is_without_a_price(place: Place, held: object) -> None:
    """Whatever a line has in the place of credits, the sum of the others stands."""
    odd = line("generation.shadowed", code="limit_exceeded", codes=[], credits_held=held)
    log = place.log(odd, line("generation.shadowed", code="limit_exceeded", codes=[], credits_held=49))

    found = shadow_of(log)

    assert (2, 1, 49) == (found["requests"], found["unpriced"], found["credits_at_stake"])
