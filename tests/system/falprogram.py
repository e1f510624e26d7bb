"""A user's program with fal's own SDK, in a process of its own: the SDK reads its hosts when it is imported.

`python falprogram.py '{"do": "subscribe", "app": ..., "arguments": ...}'` prints what came as one JSON document.
"""

import json
import sys
from typing import Any

import fal_client
from fal_client.client import FalClientHTTPError

MOMENT_S = 0.02
"""Between polls: the SDK's own 0.1 s would only slow the tests."""


def subscribe(app: str, arguments: Any) -> Any:
    """Submits, polls, and gives the states that were seen beside the result."""
    seen: list[str] = []
    note = lambda update: seen.append(type(update).__name__)  # noqa: E731
    result = fal_client.subscribe(app, arguments, on_queue_update=note, interval=MOMENT_S)
    return {"result": result, "seen": seen}


def by_hand(app: str, arguments: Any) -> Any:
    """Submits and polls the addresses that the answer names, then asks once more by the id alone."""
    handle = fal_client.submit(app, arguments)
    last = [type(event).__name__ for event in handle.iter_events(interval=MOMENT_S)][-1]
    again = type(fal_client.status(app, handle.request_id)).__name__
    result = fal_client.result(app, handle.request_id)
    urls = [handle.status_url, handle.response_url, handle.cancel_url]
    return {"last": last, "again": again, "result": result, "urls": urls, "request_id": handle.request_id}


def cancel(app: str, arguments: Any) -> Any:
    """Submits and cancels, waits for the end."""
    handle = fal_client.submit(app, arguments)
    handle.cancel()
    return handle.get(interval=MOMENT_S)


def submit(app: str, arguments: Any) -> Any:
    """Submits, and never asks again."""
    return {"request_id": fal_client.submit(app, arguments).request_id}


def poll(app: str, arguments: Any) -> Any:
    """The status of somebody's job."""
    return {"status": type(fal_client.status(app, arguments["request_id"])).__name__}


ACTIONS = {
    "run": fal_client.run,
    "stream": lambda app, arguments: list(fal_client.stream(app, arguments)),
    "subscribe": subscribe,
    "by_hand": by_hand,
    "cancel": cancel,
    "submit": submit,
    "poll": poll,
}


def main() -> None:
    order = json.loads(sys.argv[1])
    try:
        came = ACTIONS[order["do"]](order["app"], order["arguments"])
    except FalClientHTTPError as error:
        came = {"raised": error.message, "status": error.status_code, "error_type": error.error_type}
    print(json.dumps(came))


if __name__ == "__main__":
    main()
