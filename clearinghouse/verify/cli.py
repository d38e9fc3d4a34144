"""The command ``clearinghouse-verify``: an audit bundle and a public key, nothing else.

Ends with 0 when everything is as it must be, with 1 when something is not or the file
is no bundle, with 2 for words that it does not know, with 130 after Ctrl-C. Needs no
database and no clearing house.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from clearinghouse.verify.report import BundleError, Report, plain

EXIT_DIFFERENT = 1
EXIT_STOPPED = 130

#: Differences that a person is shown.
SHOWN_MAX = 100


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names of others, on any terminal
            stream.reconfigure(errors="backslashreplace")
    return run(sys.argv[1:] if words is None else words, sys.stdout, sys.stderr)


def run(words: Sequence[str], out: TextIO, log: TextIO) -> int:
    """Check the bundle that the words name; what is found goes to ``out``."""
    given = _parser().parse_args(words)
    try:
        # Loaded here: --help is told without the extra packages too.
        from clearinghouse.verify.bundle import verify  # noqa: PLC0415
    except ModuleNotFoundError as error:
        log.write(f"{error.name} is missing: install clearinghouse[verify]\n")
        return EXIT_DIFFERENT

    def progress(text: str) -> None:
        if not given.quiet:
            log.write(f"{plain(text)}\n")
            log.flush()

    try:
        report = verify(given.bundle, given.key, progress, documents=given.statement)
    except BundleError as error:
        log.write(f"{plain(str(given.bundle))}: {plain(str(error))}\n")
        return EXIT_DIFFERENT
    except KeyboardInterrupt:
        log.write("stopped\n")
        return EXIT_STOPPED
    if given.json:
        told = [asdict(one) for one in report.told]
        whole = {
            "form": report.form,
            "unchecked": report.unchecked,
            "count": report.count,
            "differences": told,
        }
        out.write(f"{json.dumps(whole, indent=1)}\n")
    else:
        out.writelines(f"{one}\n" for one in report.told[:SHOWN_MAX])
        if report.count > SHOWN_MAX:
            out.write(f"and {report.count - SHOWN_MAX} more\n")
        out.write(f"{plain(str(given.bundle))}: {_verdict(report)}\n")
    return EXIT_DIFFERENT if report.count else 0


def _verdict(report: Report) -> str:
    if report.count:
        return f"not proved, differences: {report.count}"
    if report.unchecked:
        held = f"all is proved that a bundle of form {report.form} holds"
        return f"{held}; not in it: {report.unchecked}"
    return "all is proved"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clearinghouse-verify",
        description="Recompute an audit bundle of a settlement window and name every"
        " place that is not as it must be.",
    )
    parser.add_argument("bundle", type=Path, help="the audit bundle, a ZIP file")
    parser.add_argument(
        "--key", type=Path, required=True, help="the operator's public key, in PEM"
    )
    parser.add_argument(
        "--statement",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="a statement (XML or CSV) or an invoice as it was handed out, that must be"
        " one of the bundle's; may be given more than once",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quiet", action="store_true", help="tell no progress")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
