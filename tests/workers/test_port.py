"""A port that several processes of one gateway share, and nobody else."""

import errno
import socket
from contextlib import ExitStack

import pytest

from gatekeeper.workers.port import reserved_port


def listening(port: int, *, shared: bool) -> socket.socket:
    """A server there."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    made.listen()
    return made


def test_several_listen_on_a_port_that_was_free() -> None:
    """Its number is known before anybody listens."""
    with ExitStack() as stack:
        host, port = stack.enter_context(reserved_port("127.0.0.1", 0))
        for _ in range(3):
            stack.enter_context(listening(port, shared=True))

        assert ("127.0.0.1", True) == (host, port > 0)


def test_nobody_is_connected_to_a_port_that_is_only_kept() -> None:
    """The one that keeps it takes no connections, so none waits for an answer that never comes."""
    with reserved_port("127.0.0.1", 0) as address, pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "of workers"])
def test_a_port_that_is_in_use_is_refused(shared: bool) -> None:
    """By a process alone, and by the workers of another gateway, with whom it could be shared in silence."""
    with listening(0, shared=shared) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=rf"\('127.0.0.1', {port}\)") as caught, reserved_port("127.0.0.1", port):
            pass

    assert errno.EADDRINUSE == caught.value.errno


def test_a_port_is_refused_that_another_gateway_keeps_for_workers_to_come() -> None:
    """Two that are started at the same moment do not share it, though nobody listens yet."""
    with (
        reserved_port("127.0.0.1", 0) as (_, port),
        pytest.raises(OSError, match=rf"\('127.0.0.1', {port}\)") as caught,
        reserved_port("127.0.0.1", port),
    ):
        pass

    assert errno.EADDRINUSE == caught.value.errno


def test_the_port_is_free_again_afterwards() -> None:
    """Nothing of it stays behind."""
    with reserved_port("127.0.0.1", 0) as (_, port):
        pass

    with listening(port, shared=False) as server:
        assert port == server.getsockname()[1]
    with reserved_port("127.0.0.1", port) as (_, again):
        assert port == again
