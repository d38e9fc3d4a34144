"""Where the program begins: it can be stopped while the rest is still being loaded."""

from __future__ import annotations

import sys

from clearinghouse.cli.stops import (
    Stopped,
    exit_of_stop,
    ignore_stops,
    interrupt_on_stop,
    is_stop,
)


def main() -> None:
    """Run the command line."""
    try:
        # Nothing is begun yet: SIGTERM may end us by itself, as supervisors expect.
        from clearinghouse.cli.verbs import application

        interrupt_on_stop()
        application()
    except BaseException as error:
        if isinstance(error, Stopped) or not is_stop(error):
            raise
        sys.stderr.write("stopped\n")
        raise SystemExit(exit_of_stop(sys.argv)) from None
    finally:
        ignore_stops()
