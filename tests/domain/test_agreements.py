"""Agreements: modes, periods, ceilings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from clearinghouse.domain.agreements import (
    NET_CEILING_MINOR,
    Mode,
    Module,
    Terms,
    goes_through,
    in_force,
    issued_by_clearing_house,
)
from clearinghouse.domain.money import CURRENCIES
from tests.domain.builders import NOW, make_agreement


@pytest.mark.clause("5-A", "4.1")
def test_peer_to_peer_partners_only_find_each_other_here() -> None:
    assert [one for one in Module if goes_through(Mode.A, one)] == [Module.DIRECTORY]


@pytest.mark.clause("5-B1", "5-B2")
@pytest.mark.parametrize("mode", [Mode.B1, Mode.B2])
def test_everything_goes_through_in_clearing_house_mode(mode: Mode) -> None:
    assert all(goes_through(mode, module) for module in Module)


@pytest.mark.clause("5-C1/C2")
@pytest.mark.parametrize("mode", [Mode.C1, Mode.C2])
def test_only_session_control_is_direct_in_mixed_mode(mode: Mode) -> None:
    direct = [module for module in Module if not goes_through(mode, module)]

    assert direct == [Module.SESSION_CONTROL]


@pytest.mark.clause("5-B1")
def test_clearing_house_issues_credentials_in_b1_and_c1() -> None:
    issuing = [mode for mode in Mode if issued_by_clearing_house(mode)]

    assert issuing == [Mode.B1, Mode.C1]


def test_newest_version_in_force_counts() -> None:
    first = make_agreement()
    second = replace(first, version=2, valid_from=NOW)
    ended = replace(first, version=3, valid_until=NOW)
    versions = [first, second, ended]

    assert in_force(versions, NOW) == second
    assert in_force(reversed(versions), NOW) == second
    assert in_force(versions, NOW - timedelta(seconds=1)) == ended
    assert in_force(versions, NOW - timedelta(days=400)) is None


def test_ceiling_is_that_of_the_currency_unless_agreed() -> None:
    agreed = Terms(net_ceiling_minor=1)

    assert make_agreement().net_ceiling_minor == 15_000
    assert make_agreement(terms=agreed).net_ceiling_minor == 1
    assert make_agreement(currency="XAF").net_ceiling_minor is None
    assert CURRENCIES.keys() >= NET_CEILING_MINOR.keys()
