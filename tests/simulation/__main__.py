"""``python -m tests.simulation --days N --seed N``: days of roaming from one seed."""

from __future__ import annotations

import argparse
import secrets
import sys

from clearinghouse.cli.output import Output
from clearinghouse.telemetry import logging
from tests.simulation.days import BrokenDay, Simulation, begun
from tests.simulation.world import opened

DAYS = 90
_SEEDS = 1_000_000


def simulate(days: int, seed: int, output: Output) -> Simulation:
    """Run the days; raises :class:`BrokenDay` on the day something is wrong."""
    with opened() as world:
        run = begun(world, seed)
        with output.progress(f"seed {seed}", days) as advance:
            run.play(days, lambda: advance(1))
            run.audit()
        output.remark(_troubles(run))
        output.value(
            {"seed": seed, "days": days, "sdrs": run.books.accepted, "root": run.root},
            _last_line(run, seed),
        )
        return run


def _troubles(run: Simulation) -> str:
    met = ", ".join(
        f"{count} {trouble}" for trouble, count in sorted(run.line.met.items())
    )
    ended = ", ".join(
        f"{count} {state}" for state, count in sorted(run.court.ended.items())
    )
    return (
        f"{run.line.sent} messages sent: {met}; {run.world.cuts.made} cut off\n"
        f"disputes: {len(run.court.running)} run, {ended or 'none ended'}; "
        f"{run.court.lapsed} times nobody spoke; "
        f"{run.treasury.exchange.converted} debts converted; "
        f"{run.caps.held} held by caps, {run.caps.admitted} taken in later"
    )


def _last_line(run: Simulation, seed: int) -> str:
    books = run.books
    return (
        f"simulation: seed {seed}, {run.day} days, {run.sessions} sessions, "
        f"{len(books.where)} SDRs counted, {books.refused} refused, "
        f"{books.duplicates} repeated, {books.rejected} rejected, "
        f"{books.released} released, {len(run.closed)} windows, "
        f"{run.treasury.settled} runs settled, root {run.root}"
    )


def main() -> int:
    """Simulate and print the root; 1 when something did not hold."""
    parser = argparse.ArgumentParser(prog="run simulate", description=__doc__)
    parser.add_argument("--days", type=int, default=DAYS, help="days to live through")
    parser.add_argument("--seed", type=int, help="the same seed gives the same root")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    arguments = parser.parse_args()
    logging.configure(level="ERROR")
    output = Output(as_json=arguments.json)
    seed = arguments.seed
    if seed is None:
        seed = secrets.randbelow(_SEEDS)
    again = f"./run simulate --days {arguments.days} --seed {seed}"
    output.remark(f"seed {seed}; the same days again: {again}")
    try:
        simulate(arguments.days, seed, output)
    except BrokenDay as wrong:
        output.remark(str(wrong))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
