"""Asks a gateway on this machine how it is: `python -m gatekeeper.health`, for containers, which have no curl.

It reads nothing but the admin port's number (GATEKEEPER_SERVER__ADMIN_PORT, 8081) and certificate, where it has one
(GATEKEEPER_SERVER__ADMIN_TLS_CERTIFICATE), and imports nothing of the gateway, because it is run every few seconds
beside it. `gatekeeper health` asks the same with a configuration file.
"""

import http.client
import os
import ssl
import sys
from pathlib import Path
from typing import Final

READY: Final = "/readyz"
ALIVE: Final = "/healthz"

ADMIN_PORT: Final = 8081

TIMEOUT_S: Final = 4.0
"""Less than the time that containers give such a question."""

TEXT_MAX: Final = 4096
"""All of its answer, which names the problems."""

ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to ask where it listens on all addresses


def ask(host: str, port: int, path: str = READY, certificate: Path | None = None) -> tuple[bool, str]:
    """Whether it is well, and what it says; or why nobody answers. `certificate`: by TLS, of whoever this
    file vouches for."""
    host = ANYWHERE.get(host, host)
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        if certificate is not None:
            connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=_trusting(certificate))
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status == http.HTTPStatus.OK, answer.read(TEXT_MAX).decode("utf-8", "replace")
    except TimeoutError:
        return False, f"no answer from {host}:{port} within {TIMEOUT_S:g} s: it waits for something, perhaps its store"
    except (OSError, http.client.HTTPException) as error:
        return False, f"nobody answers at {host}:{port}: {error or type(error).__name__}"
    finally:
        connection.close()


def _trusting(certificate: Path) -> ssl.SSLContext:
    """Believes what is in the file. The name in it is that of the machine as others call it, and is not looked at."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    # The certificate itself is enough: its issuer need not be in the file.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def main() -> int:
    """The exit code: 0 if it is ready, or with `--alive` if it answers at all."""
    port = os.environ.get("GATEKEEPER_SERVER__ADMIN_PORT", "") or str(ADMIN_PORT)
    named = os.environ.get("GATEKEEPER_SERVER__ADMIN_TLS_CERTIFICATE", "")
    path = ALIVE if "--alive" in sys.argv[1:] else READY
    well, says = ask("127.0.0.1", int(port), path, Path(named) if named else None)
    sys.stdout.write(f"{says}\n")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
