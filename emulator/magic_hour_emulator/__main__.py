"""`python -m magic_hour_emulator`: the emulator as a program, for other processes and languages.

Rule: it prints what is needed to point a client at it, then one line per request without secrets, and exits cleanly on
Ctrl-C and SIGTERM.
"""

import argparse
import contextlib
import errno
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from . import __version__

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, *, program: str = "magic-hour-emulator") -> int:
    """Run until interrupted. Returns 0, or 2 if the emulator could not start."""
    options = _parser(program).parse_args(arguments)
    from ._request_lines import RequestLines
    from ._server import Emulator

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        lines = None if options.quiet else RequestLines(sys.stdout.fileno())
        emulator = Emulator(
            token=options.token,
            host=options.host,
            port=options.port,
            storage_port=options.storage_port,
            credits=options.credits,
            seed=options.seed,
            speed=options.speed,
            frozen=options.frozen,
            polls_to_complete=options.polls,
            realistic=options.realistic,
            spec=options.spec,
            allowed_hosts=options.allow_host,
            webhook=options.webhook,
            webhook_secret=options.webhook_secret,
            on_request=lines.add if lines else None,
        )
        with lines or contextlib.nullcontext(), emulator:
            print(_greeting(emulator.url, emulator.token), flush=True)
            while not stop.wait(0.5):  # with a timeout, so that Ctrl-C gets through on Windows
                pass
    except (OSError, ValueError) as problem:
        taken = isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE
        print(f"{program}: {problem}{'; choose another --port' if taken else ''}", file=sys.stderr)
        return 2
    return 0


def _greeting(url: str, token: str) -> str:
    return (
        "Magic Hour emulator: nothing leaves this machine, nothing is charged. Press Ctrl-C to stop it.\n"
        "\n"
        f"export MAGIC_HOUR_BASE_URL={url}\n"
        f"export MAGIC_HOUR_API_KEY={token}\n"
        "\n"
        f"page:   {url}/\n"
        f"ledger: {url}/_emulator/ledger"
    )


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="The Magic Hour service on your own machine, on the loopback interface only.",
    )
    add = parser.add_argument
    add("--port", type=int, default=8765, help="port of the API; 0 for a free one (default: %(default)s)")
    add("--storage-port", type=int, default=0, help="port of the storage; 0 for a free one (default: %(default)s)")
    add("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    add("--token", default="mhk_local", help="API key to accept (default: %(default)s)")
    add("--credits", type=int, default=1_000_000, help="opening balance (default: %(default)s)")
    add("--speed", type=float, default=1.0, help="how fast time passes; with 100, a second takes 10 ms (default: 1)")
    add("--frozen", action="store_true", help="let time pass only with POST /_emulator/clock")
    add("--polls", type=int, default=None, metavar="N", help="complete a job at its Nth GET instead of by time")
    add("--realistic", action="store_true", help="let jobs take the service's median time: seconds to minutes")
    add("--seed", type=int, help="decides ids and pictures (default: random)")
    add("--spec", type=Path, default=None, metavar="FILE", help="OpenAPI file to take routes and checks from")
    name = "host name that the controls accept besides loopback names; may be repeated"
    add("--allow-host", action="append", default=[], metavar="NAME", help=name)
    add("--webhook", metavar="URL", help="where on this machine to send signed events of jobs")
    add("--webhook-secret", default="", metavar="SECRET", help="the secret that signs them")
    add("--quiet", action="store_true", help="do not print a line for each request")
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
