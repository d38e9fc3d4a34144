"""No rule of the SDR catalogue is without a test of its border."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from clearinghouse.domain.sdr_catalogue import CATALOGUE
from tests.conventions import source
from tests.flows.rule_borders import BORDERS

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOWS = source.ROOT / "tests" / "flows"


def _marked() -> Iterator[str]:
    """Yield the rules that marks ``border`` of the flow tests name."""
    for path in FLOWS.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "border"
            ):
                for one in node.args:
                    assert isinstance(one, ast.Constant)
                    yield str(one.value)


def test_every_rule_has_a_test_of_its_border_through_soap() -> None:
    shown = {one.rule for one in BORDERS} | set(_marked())

    assert shown == {entry.rule for entry in CATALOGUE}
