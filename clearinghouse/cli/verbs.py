"""The command line: which verbs there are, and the options before any verb.

The file of a verb is loaded when the verb is called: the whole house takes a second to
load, and ``--help`` need not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from clearinghouse import __version__
from clearinghouse.cli.context import (
    EXIT_SETTINGS,
    SETTINGS_ADVICE,
    Context,
    SettingsError,
    complain,
    output_of,
    refuse,
)
from clearinghouse.cli.output import Output
from clearinghouse.cli.stops import Stopped, exit_of_stop, is_stop

MARKUP: Literal["markdown"] = "markdown"
"""How help is set: the paragraphs of a docstring are filled, not cut at its lines."""

UsageError: Any = typer.BadParameter.__base__
"""What is raised for words that are not understood; typer gives it no public name."""
JSON = "--json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A verb, or a group of verbs, in the list of ``--help``.

    ``place`` is ``file:name`` in this folder; what is there is a function or a group.
    """

    name: str
    place: str
    summary: str


VERBS = (
    Entry(
        name="serve",
        place="serving:serve",
        summary="Run the server: SOAP services, WSDLs and health pages.",
    ),
    Entry(
        name="worker",
        place="serving:worker",
        summary="Run the delivery worker: outbox, timers, stale statuses.",
    ),
    Entry(
        name="demo",
        place="demo.command:demo",
        summary="Start a whole roaming world here and watch it do its main job.",
    ),
    Entry(
        name="doctor",
        place="doctor:doctor",
        summary="Look at everything the clearing house needs.",
    ),
    Entry(
        name="participant",
        place="participants:group",
        summary="Partners: CSPs and CSOs.",
    ),
    Entry(
        name="account",
        place="accounts:group",
        summary="Machine accounts of partners.",
    ),
    Entry(
        name="agreement",
        place="agreements:group",
        summary="Agreements: who roams with whom.",
    ),
    Entry(
        name="billing",
        place="billing:group",
        summary="Billing profiles: what invoices say of a party.",
    ),
    Entry(
        name="vat",
        place="vat:group",
        summary="VAT: the table of rules, and why a supply is taxed so.",
    ),
    Entry(
        name="list",
        place="lists:group",
        summary="Full lists that are held.",
    ),
    Entry(name="sdr", place="sdrs:group", summary="SDRs that a rule holds."),
    Entry(name="dispute", place="disputes:group", summary="Disputes about SDRs."),
    Entry(
        name="settlement",
        place="settlement:group",
        summary="Windows and their settlement.",
    ),
    Entry(name="run", place="runs:group", summary="Runs: closed windows are paid."),
    Entry(
        name="document",
        place="documents:group",
        summary="Invoices and credit notes.",
    ),
    Entry(
        name="payment",
        place="payments:group",
        summary="Files for and from the bank.",
    ),
    Entry(
        name="reconcile",
        place="reconciliation:reconcile",
        summary="Compare what must be one figure.",
    ),
    Entry(name="ledger", place="ledger:group", summary="The ledger."),
    Entry(name="fee", place="fees:group", summary="Fees of the house."),
    Entry(name="cap", place="caps:group", summary="Net debit caps of CSPs."),
    Entry(name="fx", place="fx:group", summary="Exchange rates, only where agreed."),
    Entry(name="report", place="reports:group", summary="Reports."),
    Entry(
        name="audit", place="audit:group", summary="The audit trail; seals of windows."
    ),
    Entry(
        name="operator",
        place="operators:group",
        summary="Operators: people who act by name.",
    ),
    Entry(
        name="approval",
        place="approvals:group",
        summary="Acts that need two operators.",
    ),
    Entry(name="key", place="keys:group", summary="The key that the house signs with."),
    Entry(name="delivery", place="deliveries:group", summary="Messages to partners."),
    Entry(name="database", place="database:group", summary="The database."),
    Entry(name="config", place="settings:group", summary="Settings."),
)


class Later(TyperCommand):
    """A verb whose file is loaded when it is called; until then a line of the list."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(name=entry.name, help=entry.summary)
        self._place = entry.place

    def loaded(self) -> Any:  # noqa: ANN401 - what typer makes of a file of ours
        """Load the file and return the verb, or the group of verbs, in it."""
        file, _, name = self._place.partition(":")
        found = getattr(import_module(f"clearinghouse.cli.{file}"), name)
        if isinstance(found, typer.Typer):
            found.rich_markup_mode = MARKUP
            return typer.main.get_group(found)
        alone = typer.Typer(add_completion=False, rich_markup_mode=MARKUP)
        alone.command()(found)
        return typer.main.get_command(alone)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: Any = None,  # noqa: ANN401 - passed on
        **extra: Any,  # noqa: ANN401 - passed on
    ) -> Any:  # noqa: ANN401 - passed on
        """Read the words after the verb, as the loaded verb understands them."""
        command = self.loaded()
        if parent is not None and output_of(parent).as_json:
            command.no_args_is_help = False  # no verb is a slip, and told as one
        return command.make_context(info_name, args, parent=parent, **extra)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Split at ``--``: what follows it is no option."""
    place = words.index("--") if "--" in words else len(words)
    return words[:place], words[place:]


class Verbs(TyperGroup):
    """All verbs; none is loaded before it is called."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(**attributes)
        for entry in VERBS:
            self.add_command(Later(entry))

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: Any = None,  # noqa: ANN401 - passed on
        **extra: Any,  # noqa: ANN401 - passed on
    ) -> Any:  # noqa: ANN401 - passed on
        """Read the words before the verb.

        ``--json`` is taken wherever it stands: it means the same for every verb.
        """
        own, rest = _split(args)
        output = Output(as_json=JSON in own)
        if output.as_json:
            args = [JSON, *(word for word in own if word != JSON), *rest]
        try:
            context = super().make_context(info_name, args, parent=parent, **extra)
        except UsageError as error:
            _misused(output, error)
        context.obj = Context(output)
        return context

    def invoke(self, context: Any) -> Any:  # noqa: ANN401 - passed on
        """Run the verb; what keeps it from its work ends it with a line."""
        with _stoppable(context):
            return self._run(context)

    def _run(self, context: Any) -> Any:  # noqa: ANN401 - passed on
        try:
            return super().invoke(context)
        except BrokenPipeError:  # whoever read what we print has enough
            raise
        except UsageError as error:
            _misused(output_of(context), error)
        except SettingsError as error:
            lines = [f"settings: {line}" for line in error.args]
            refuse(
                output_of(context),
                "\n".join([*lines, SETTINGS_ADVICE]),
                code="SETTINGS",
                status=EXIT_SETTINGS,
            )
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            refuse(output_of(context), f"{place}{error.strerror or error}", code="FILE")


@contextmanager
def _stoppable(context: Any) -> Iterator[None]:  # noqa: ANN401 - the library's own
    """End a verb that was asked to stop with a word, whatever became of the wish."""
    try:
        yield
    except BaseException as error:
        if not is_stop(error):
            raise
        verb, output = context.invoked_subcommand, output_of(context)
        word = f"{verb}: stopped" if verb else "stopped"
        status = exit_of_stop([verb])
        if status:
            complain(output, word, code="STOPPED")
        else:
            output.remark(word)
        raise Stopped(status) from None


def _misused(output: Output, error: UsageError) -> NoReturn:
    """Say what is wrong in the words given: people are shown it by the library."""
    if not output.as_json:
        raise error
    refuse(output, error.format_message(), code="USAGE", status=error.exit_code)


application = typer.Typer(
    name="clearinghouse",
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=MARKUP,
    pretty_exceptions_show_locals=False,  # locals may hold secrets
    help="Clearing house for EV-charging roaming. Begin with: clearinghouse demo",
)


def _version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        output = Output(as_json=bool(context.params.get("as_json")))
        output.value({"version": __version__}, __version__)
        raise typer.Exit


@application.callback()
def _before(
    context: typer.Context,
    as_json: bool = typer.Option(
        False, JSON, is_eager=True, help="Print JSON for machines."
    ),
    _version_wanted: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    output_of(context).as_json = as_json
