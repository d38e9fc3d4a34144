"""``python -m tests.benchmarks`` lists the benchmarks; with a name it runs one."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from types import ModuleType

import tests.benchmarks


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
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("name", nargs="?", choices=sorted(known))
    parser.add_argument("--json", action="store_true", help="print JSON as well")
    options = parser.parse_args()
    if options.name is None:
        for name in sorted(known):
            print(f"{name:12} {known[name].DESCRIPTION}")
        return
    known[options.name].main(options.json)


if __name__ == "__main__":
    main()
