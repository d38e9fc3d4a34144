"""``clearinghouse demo``: plays a day, closes a window, hands out the statements."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import typer

from clearinghouse.cli.context import output_of, refusals, refuse
from clearinghouse.cli.context import settings as read_settings
from clearinghouse.cli.output import Output
from clearinghouse.cli.processes import ChildError, free_port
from clearinghouse.domain.clock import SystemClock
from clearinghouse.settings import Settings
from clearinghouse.telemetry import logging


def demo(
    context: typer.Context,
    once: bool = typer.Option(False, "--once", help="Play one day and stop."),
    port: int | None = typer.Option(None, help="First port to try."),
) -> None:
    """Start a whole roaming world here and watch it do its main job.

    Without --once it keeps running afterwards, prints addresses, logins and calls to
    paste, and stops with Ctrl-C. It has a database of its own below state_dir and
    takes no other settings but host, port and pg_bindir.
    """
    output = output_of(context)
    try:
        given = read_settings()
        folder = (given.state_dir / "demo").absolute()
        with _alone(output, folder), refusals(output):
            _look_for_packages(output)
            _perform(output, _own_settings(output, given, port), once=once)
    except ChildError as error:
        refuse(output, f"demo: {error}")


def _look_for_packages(output: Output) -> None:
    try:
        import_module("clearinghouse.cli.demo.stage")
    except ModuleNotFoundError as error:
        refuse(
            output,
            f"demo: {error.name} is missing; in the checkout: pip install '.[demo]'",
        )


def _perform(output: Output, own: Settings, *, once: bool) -> None:
    from clearinghouse.cli.demo import closing, farewell, stage, stories
    from clearinghouse.endpoint.errors import CallError

    logging.configure("WARNING")
    run = f"{SystemClock().now():%Y%m%d-%H%M%S}"
    try:
        output.remark("[1/4] starting the clearing house and eight partners")
        with stage.raised(own, run) as raised:
            output.remark("[2/4] a day of roaming")
            stories.play(raised, output.remark)
            output.remark("[3/4] closing the window")
            day = closing.close(raised, run)
            output.remark(f"  {day.files} statements in {_short(day.folder)}")
            for line in day.aftermath.lines:
                output.remark(f"  {line}")
            value = farewell.summary(raised, day)
            if not once:
                output.value(value, day.line)
                farewell.stay(output, raised)
            output.remark("[4/4] stopping")
        if once:  # the last line of all
            output.value(value, day.line)
    except (stories.StoryError, CallError) as error:
        refuse(output, f"demo: {error}; the logs are in {_short(own.state_dir)}")


def _own_settings(output: Output, given: Settings, port: int | None) -> Settings:
    wanted = port or given.port
    free = free_port(wanted, host=given.host)
    if free != wanted:
        output.remark(f"port {wanted} is taken; using {free}")
    return Settings.model_construct(
        state_dir=(given.state_dir / "demo").absolute(),
        host=given.host,
        port=free,
        pg_bindir=given.pg_bindir,
        allow_http_endpoints=True,
        allow_private_endpoints=True,
    )


@contextmanager
def _alone(output: Output, folder: Path) -> Iterator[None]:
    """Keep a second demo out of the folder; the kernel frees it when we die."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "demo.lock").open("ab")
    except OSError as error:
        refuse(output, f"demo: {error}; name another place: CLEARINGHOUSE_STATE_DIR")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            refuse(
                output,
                f"demo: another one plays in {_short(folder)}; stop it, or name "
                "another place: CLEARINGHOUSE_STATE_DIR",
            )
        yield


def _short(folder: Path) -> str:
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
