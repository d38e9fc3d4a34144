"""Instants are aware and come from the clock that the caller can replace."""

from __future__ import annotations

import ast

from tests.conventions import source

# The house's clock, and that of the reference endpoint, which is a partner's program.
CLOCKS = frozenset({"clearinghouse/domain/clock.py", "clearinghouse/endpoint/clock.py"})
READS_THE_CLOCK = (
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
)
MAKES_NAIVE = ("datetime.utcfromtimestamp",)
ARGUMENTS_WITH_ZONE = 8  # the eighth argument of datetime() is its zone


def _ends_with(name: str, suffixes: tuple[str, ...]) -> bool:
    return any(name == suffix or name.endswith("." + suffix) for suffix in suffixes)


def test_only_the_clock_reads_the_time_of_day() -> None:
    places = [
        place
        for module in source.package()
        if module.path not in CLOCKS
        for node, name in source.calls(module.tree)
        if _ends_with(name, READS_THE_CLOCK)
        for place in module.places([node])
    ]

    assert not places, f"take the instant from env.clock: {places}"


def _is_naive(node: ast.Call, name: str) -> bool:
    if _ends_with(name, MAKES_NAIVE):
        return True
    keywords = {keyword.arg for keyword in node.keywords}
    if name in {"datetime", "datetime.datetime"}:
        return "tzinfo" not in keywords and len(node.args) < ARGUMENTS_WITH_ZONE
    return _ends_with(name, ("datetime.fromtimestamp",)) and (
        len(node.args) + len(node.keywords) < len(("timestamp", "tz"))
    )


def _is_what_is_tested(module: source.Module, node: ast.Call) -> bool:
    """Tell whether a test shows that a naive instant is refused."""
    line = module.text.splitlines()[node.lineno - 1]
    return module.path.startswith("tests/") and "noqa: DTZ" in line


def test_no_zone_is_read_from_the_host() -> None:
    places = [
        place
        for module in (*source.package(), *source.tests())
        for node, name in source.calls(module.tree)
        if name.rpartition(".")[2] == "ZoneInfo"
        for place in module.places([node])
    ]

    # One test shows that the host's zones are not asked.
    assert [place for place in places if "test_zones.py" not in place] == []


def test_no_instant_is_naive() -> None:
    places = [
        place
        for module in (*source.package(), *source.tests())
        for node, name in source.calls(module.tree)
        if _is_naive(node, name) and not _is_what_is_tested(module, node)
        for place in module.places([node])
    ]

    assert not places, f"give the zone: {places}"
