"""``python -m tests.replay DIR``: the real year against the sums of the CSV."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from clearinghouse.cli.output import Output
from tests.replay.evses import Upload, upload
from tests.replay.oracle import Sums, by_csp_and_month
from tests.replay.run import Outcome, Replay
from tests.replay.source import EVSES_FILE, SESSIONS_FILE, Row, sessions
from tests.running.house import House

Table = Mapping[tuple[str, str], Outcome]


def replay(
    folder: Path, state: Path, output: Output
) -> tuple[list[Row], Replay, Upload]:
    """Run everything against a house on ``state``; returns what it did."""
    rows = sessions(folder)
    clock = state / "clock"
    state.mkdir(parents=True, exist_ok=True)
    with House(state, {"CLEARINGHOUSE_CLOCK_FILE": str(clock)}) as house:
        run = Replay(house, clock, rows)
        output.remark(f"server at {house.url}, state in {state}")
        run.admit()
        uploaded = upload(house, folder)
        with output.progress("sessions of 2017", len(rows)) as advance:
            run.play(advance)
    return rows, run, uploaded


def differences(table: Table, wanted: Mapping[tuple[str, str], Sums]) -> list[str]:
    """Return a line for every figure that is not what the CSV says."""
    lines = []
    for key in sorted({*table, *wanted}):
        got, want = table.get(key, Outcome()), wanted.get(key, Sums())
        for name in ("sessions", "energy_wh", "claimed", "settled", "by_rule"):
            mine, theirs = getattr(got, name), getattr(want, name)
            if mine != theirs:
                lines.append(f"{key}: {name} is {mine}, the CSV says {theirs}")
    return lines


def _kwh(energy_wh: int) -> str:
    return f"{Decimal(energy_wh) / 1000:.3f}"


def _rules(by_rule: Counter[str]) -> str:
    return " ".join(f"{rule}:{count}" for rule, count in sorted(by_rule.items()))


def _table(table: Table) -> list[dict[str, object]]:
    return [
        {
            "CSP": csp,
            "month": month,
            "sessions": outcome.sessions,
            "kWh": _kwh(outcome.energy_wh),
            "CHF claimed": f"{outcome.claimed:.2f}",
            "CHF settled": f"{outcome.settled:.2f}",
            "held or refused": _rules(outcome.by_rule),
        }
        for (csp, month), outcome in sorted(table.items())
    ]


def _print_evses(output: Output, uploaded: Upload) -> None:
    rows = [
        {"code": code, "expected": expected, "EVSEs": count}
        for (code, expected), count in uploaded.reasons.most_common()
    ]
    output.rows("EVSEs refused, by reason", rows, empty="No EVSE was refused.")
    output.value(
        {"accepted": uploaded.accepted, "refused": uploaded.refused},
        f"EVSEs: {uploaded.accepted} accepted, {uploaded.refused} refused",
    )


def _last_line(table: Table) -> str:
    total = Outcome()
    for outcome in table.values():
        total.sessions += outcome.sessions
        total.energy_wh += outcome.energy_wh
        total.claimed += outcome.claimed
        total.settled += outcome.settled
        total.by_rule += outcome.by_rule
    return (
        f"replay: {total.sessions} sessions, {_kwh(total.energy_wh)} kWh, "
        f"{total.claimed:.2f} CHF claimed, {total.settled:.2f} CHF settled, "
        f"held or refused {_rules(total.by_rule) or 'none'}"
    )


def main() -> int:
    """Play the year and print the table; 1 when a sum is not the CSV's."""
    parser = argparse.ArgumentParser(prog="run replay", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the published files are")
    parser.add_argument(
        "--state", type=Path, help="keep the clearing house's state here"
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    arguments = parser.parse_args()
    missing = [
        name
        for name in (SESSIONS_FILE, EVSES_FILE)
        if not (arguments.folder / name).is_file()
    ]
    if missing:
        parser.error(
            f"{arguments.folder} lacks {' and '.join(missing)}; "
            "README.rst says where they are from"
        )
    output = Output(as_json=arguments.json)
    with tempfile.TemporaryDirectory(prefix="ch-replay-") as temporary:
        Path(temporary).chmod(0o755)
        state = (arguments.state or Path(temporary) / "var").resolve()
        rows, run, uploaded = replay(arguments.folder, state, output)
    wrong = differences(run.table, by_csp_and_month(rows))
    _print_evses(output, uploaded)
    output.rows("Per CSP and month", _table(run.table), empty="No sessions.")
    for line in wrong:
        output.remark(line)
    if not wrong:
        output.remark("Every sum equals the computation straight from the CSV.")
    line = _last_line(run.table)
    output.value({"line": line, "differences": wrong}, line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
