"""A stand-in provider for demos, tests and benchmarks: it speaks the providers' wire formats and really draws images.

An aiohttp application of its own, reached over HTTP like any provider. It knows no team, no price and no credit, and
takes from the rest of the package only the spellings of sizes. What a picture shows is the prompt in letters, not
what the prompt describes, and every usage figure in its answers is made up.

`call` is the vocabulary, `dialects` has one file per wire format, `picture` and `lettering` draw, `studio` draws off
the event loop, `movie` and `isomedia` make films, `jobs` takes its time, `hooks` calls back, `behaviour` misbehaves on
demand, `delivery` sends, `record` remembers, `app` wires it together.
"""

from gatekeeper.sandbox.app import RunningSandbox, make_sandbox, start_sandbox
from gatekeeper.sandbox.settings import SandboxSettings

__all__ = ["RunningSandbox", "SandboxSettings", "make_sandbox", "start_sandbox"]
