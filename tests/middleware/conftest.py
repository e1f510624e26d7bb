"""A real gateway for services that gate themselves."""

from tests.system.conftest import _start_world as start_world
from tests.system.conftest import _world as world

__all__ = ["start_world", "world"]
