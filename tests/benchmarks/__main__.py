"""``python -m tests.benchmarks`` runs what has a target; with a name it runs one."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from types import ModuleType

import tests.benchmarks
from tests.benchmarks import close, intake, seal, statements, verify
from tests.benchmarks._month import month

#: SDRs of the large close: ten months.
MANY = 10_000_000


def benchmarks() -> dict[str, ModuleType]:
    """Return the benchmark modules by the names they give themselves."""
    found = {}
    for module in pkgutil.iter_modules(tests.benchmarks.__path__):
        if module.name.startswith("_"):
            continue
        loaded = importlib.import_module(f"tests.benchmarks.{module.name}")
        if hasattr(loaded, "NAME"):
            found[str(loaded.NAME)] = loaded
    return found


def main() -> None:
    """Run what the command line asks for."""
    known = benchmarks()
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name:12} {known[name].DESCRIPTION}" for name in known),
    )
    parser.add_argument("name", nargs="?", choices=sorted(known))
    parser.add_argument("--json", action="store_true", help="print JSON as well")
    options = parser.parse_args()
    if options.name is None:
        everything()
        return
    known[options.name].main(options.json)


def everything() -> None:
    """Run what has a target, one after the other, and end with a table of it all."""
    figures = [intake.figure()]
    with month() as made:
        for step in (close, statements, seal, verify):
            figures.append(step.of_month(made))
            print(figures[-1].line, flush=True)
    figures.append(close.of_rows(MANY))
    print()
    for one in figures:
        one.show()


if __name__ == "__main__":
    main()
