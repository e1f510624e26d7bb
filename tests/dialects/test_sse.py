"""Events out of a stream, and the bound on what is read of one that never ends."""

from gatekeeper.dialects.sse import LINE_KEPT_BYTES, LINES_MAX, Event, EventSkimmer
from tests.cases import each_case

STREAM = b': hi\nid: 7\nevent: one\ndata: {"a":\ndata: 1}\n\nretry: 5\n\ndata:2\n\nevent: none\n\nevent:three\ndata: 3'


@each_case("newline", [b"\n", b"\r\n", b"\r"])
@each_case("piece_bytes", [1, 2, 5, 1000])
def test_events_are_found_in_any_chunks(newline: bytes, piece_bytes: int) -> None:
    """Names and data come out the same for every line end and every cut; without data there is no event."""
    stream = STREAM.replace(b"\n", newline)
    skimmer = EventSkimmer()

    events = [e for at in range(0, len(stream), piece_bytes) for e in skimmer.feed(stream[at : at + piece_bytes])]

    assert events == [Event("one", b' {"a":\n 1}\n'), Event("", b"2\n")]
    assert skimmer.rest() == Event("three", b" 3")


def test_a_long_line_that_is_no_data_is_cut() -> None:
    """Of a name without end only its beginning is kept."""
    skimmer = EventSkimmer()

    events = list(skimmer.feed(b"event:" + b"x" * 100_000 + b"\ndata: 1\n\n"))

    assert [len("event:" + event.name) for event in events] == [LINE_KEPT_BYTES]


def test_reading_stops_after_very_many_lines() -> None:
    """A stream of nothing but line ends is given up on, and what stands behind them is not read."""
    skimmer = EventSkimmer()

    assert list(skimmer.feed(b"\n" * LINES_MAX + b"data: 1\n\n")) == []
    assert skimmer.rest() is None
