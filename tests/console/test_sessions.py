"""Who is signed in, for how long, and how often a token may be tried."""

from gatekeeper.console.attempts import ADDRESSES_MAX, OF_ALL_MAX, OF_ONE_MAX, WINDOW_S, Attempts
from gatekeeper.console.sessions import IDLE_S, LIFE_S, MESSAGES_MAX, SESSIONS_MAX, Sessions


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def monotonic_s(self) -> float:
        return self.at_s


def test_a_session_is_found_by_what_its_cookie_holds() -> None:
    """And by nothing else."""
    sessions = Sessions(Clock())  # type: ignore[arg-type]

    secret, session = sessions.open()

    assert sessions.find(secret) is session
    assert [None, None] == [sessions.find(""), sessions.find(secret[:-1])]


def test_who_is_idle_is_signed_out() -> None:
    """An hour without a request ends a session; each request begins the hour anew."""
    clock = Clock()
    sessions = Sessions(clock)  # type: ignore[arg-type]
    secret, _ = sessions.open()

    clock.at_s += IDLE_S
    still = sessions.find(secret)
    clock.at_s += IDLE_S + 1

    assert still is not None
    assert (None, 0) == (sessions.find(secret), len(sessions))


def test_a_page_that_asks_by_itself_is_nobody_at_the_desk() -> None:
    """It is answered while the hour of the session lasts, and makes it no longer."""
    clock = Clock()
    sessions = Sessions(clock)  # type: ignore[arg-type]
    secret, session = sessions.open()

    clock.at_s += IDLE_S
    found = sessions.find(secret, by_itself=True)
    clock.at_s += 1

    assert (session, None) == (found, sessions.find(secret))


def test_a_session_has_an_end() -> None:
    """However busy it is."""
    clock = Clock()
    sessions = Sessions(clock)  # type: ignore[arg-type]
    secret, _ = sessions.open()

    for _ in range(int(LIFE_S / IDLE_S)):
        clock.at_s += IDLE_S
        sessions.find(secret)
    clock.at_s += 1

    assert sessions.find(secret) is None


def test_to_ask_whether_it_goes_on_keeps_nobody_signed_in() -> None:
    """A page that is open and live is no person at the desk."""
    clock = Clock()
    sessions = Sessions(clock)  # type: ignore[arg-type]
    secret, session = sessions.open()

    clock.at_s += IDLE_S
    goes_on = sessions.goes_on(session)
    clock.at_s += 1

    assert (True, False) == (goes_on, sessions.goes_on(session))
    sessions.close(secret)
    assert not sessions.goes_on(session)


def test_the_table_is_bounded() -> None:
    """Whoever was away longest is signed out for one more."""
    clock = Clock()
    sessions = Sessions(clock)  # type: ignore[arg-type]
    secrets = []
    for _ in range(SESSIONS_MAX + 1):
        clock.at_s += 1
        secrets.append(sessions.open()[0])

    assert SESSIONS_MAX == len(sessions)
    assert sessions.find(secrets[0]) is None
    assert sessions.find(secrets[1]) is not None


def test_a_message_is_told_once() -> None:
    """The last few of those that wait."""
    _, session = Sessions(Clock()).open()  # type: ignore[arg-type]
    for number in range(MESSAGES_MAX + 2):
        session.tell(str(number))

    told = [message.text for message in session.take_messages()]

    assert [str(number) for number in range(2, MESSAGES_MAX + 2)] == told
    assert [] == session.take_messages()


def test_an_address_may_fail_so_often() -> None:
    """Then it waits until the first failure is a minute past; others may try."""
    clock = Clock()
    attempts = Attempts(clock)  # type: ignore[arg-type]

    for _ in range(OF_ONE_MAX):
        clock.at_s += 1
        attempts.failed("a")

    assert (WINDOW_S - OF_ONE_MAX + 1, 0.0) == (attempts.wait_s("a"), attempts.wait_s("b"))
    clock.at_s += WINDOW_S
    assert 0.0 == attempts.wait_s("a")


def test_all_together_may_fail_so_often() -> None:
    """Whoever has many addresses waits too."""
    attempts = Attempts(Clock())  # type: ignore[arg-type]

    for number in range(OF_ALL_MAX):
        attempts.failed(str(number))

    assert WINDOW_S == attempts.wait_s("another")


def test_who_is_right_begins_anew() -> None:
    """Its failures are forgotten."""
    attempts = Attempts(Clock())  # type: ignore[arg-type]
    for _ in range(OF_ONE_MAX):
        attempts.failed("a")

    attempts.forgive("a")

    assert 0.0 == attempts.wait_s("a")


def test_addresses_are_not_kept_for_ever() -> None:
    """However many come."""
    attempts = Attempts(Clock())  # type: ignore[arg-type]

    for number in range(ADDRESSES_MAX + 10):
        attempts.failed(str(number))

    assert ADDRESSES_MAX == len(attempts._of)


def test_one_host_of_ipv6_is_one_address() -> None:
    """It has more of them than anybody could count."""
    attempts = Attempts(Clock())  # type: ignore[arg-type]
    for number in range(OF_ONE_MAX):
        attempts.failed(f"2001:db8:1:2::{number:x}")

    assert (WINDOW_S, 0.0) == (attempts.wait_s("2001:db8:1:2:ffff::1"), attempts.wait_s("2001:db8:1:3::1"))
