"""The command line: reads arguments, asks the parts below, prints. No command decides anything of its own.

Tables are for people, `--json` is for scripts. What went wrong is told on stderr in lines that say what to do, and
the exit code is 1; it is 2 for a command line that cannot be read.
"""

from gatekeeper.cli.root import main

__all__ = ["main"]
