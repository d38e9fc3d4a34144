"""Agreements as the operator's own acts: concluded, listed, ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.agreements import Mode, Terms
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import agreements
from clearinghouse.services.agreements import Conclusion
from clearinghouse.storage import agreements as rows
from clearinghouse.storage import audit
from tests.builders import NOW, make_cso, make_csp, seconds

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock
    from tests.fixtures.roaming import Roaming

CONCLUSION = Conclusion(
    visited="CHREP", home="DEABC", mode=Mode.B2, currency="EUR", valid_from=NOW
)


@pytest.fixture
def admitted(env: Environment) -> None:
    """Admit an operator and a provider."""
    with env.database.begin() as tx:
        make_cso(tx)
        make_csp(tx)


def acts(env: Environment) -> list[tuple[str, str]]:
    """Return the audit trail from its beginning."""
    with env.database.begin_read_only() as tx:
        entries = audit.entries_before(tx)
    return [(one.action, one.object) for one in reversed(entries)]


@pytest.mark.usefixtures("admitted")
def test_concluded_agreement_is_in_force_from_its_first_instant(
    env: Environment,
) -> None:
    agreed = agreements.conclude(env, CONCLUSION)

    assert agreements.all_agreements(env) == (agreed,)
    assert agreed.agreement.in_force(NOW)
    assert not agreed.agreement.in_force(seconds(-1))
    assert acts(env) == [("conclude agreement", "CHREP DEABC")]


@pytest.mark.usefixtures("admitted")
def test_new_terms_are_a_new_version_and_end_the_old_ones(env: Environment) -> None:
    agreements.conclude(env, CONCLUSION)
    newer = replace(CONCLUSION, valid_from=seconds(60), mode=Mode.C2)
    agreements.conclude(env, newer)

    first, second = (one.agreement for one in agreements.all_agreements(env))

    assert (first.version, first.valid_until) == (1, seconds(60))
    assert (second.version, second.mode, second.valid_until) == (2, Mode.C2, None)


@pytest.mark.clause("4.2-visited")
@pytest.mark.usefixtures("admitted")
def test_collecting_is_a_term_that_new_terms_end(env: Environment) -> None:
    collecting = replace(CONCLUSION, terms=Terms(collects=True))
    agreements.conclude(env, collecting)
    agreements.conclude(env, replace(CONCLUSION, valid_from=seconds(60)))

    first, second = (one.agreement for one in agreements.all_agreements(env))

    assert (first.terms.collects, first.valid_until) == (True, seconds(60))
    assert not second.terms.collects
    with env.database.begin_read_only() as tx:
        kept = rows.agreements_to_collect(tx, first.home_id)
        assert rows.agreements_to_collect(tx, first.visited_id) == ()
    assert kept == (first,)


@pytest.mark.usefixtures("admitted")
def test_signed_meter_values_are_a_term_of_each_version(env: Environment) -> None:
    agreements.conclude(
        env, replace(CONCLUSION, terms=Terms(signed_meter_required=True))
    )
    agreements.conclude(env, replace(CONCLUSION, valid_from=seconds(60)))

    found = [one.agreement for one in agreements.all_agreements(env)]

    assert [one.terms.signed_meter_required for one in found] == [True, False]


@pytest.mark.usefixtures("admitted")
def test_nobody_collects_for_a_partner_without_stations(env: Environment) -> None:
    with env.database.begin() as tx:
        make_csp(tx, "ATVIS")
    wrong = replace(CONCLUSION, visited="ATVIS", terms=Terms(collects=True))

    with pytest.raises(ClearingHouseError) as refused:
        agreements.conclude(env, wrong)

    assert [item.path for item in refused.value.items] == ["visited"]


@pytest.mark.usefixtures("admitted")
@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (replace(CONCLUSION, visited="DEABC", home="CHREP"), "home"),
        (replace(CONCLUSION, visited="DEABC"), "home"),
        (replace(CONCLUSION, currency="XYZ"), "currency"),
        (replace(CONCLUSION, valid_until=NOW), "until"),
        (replace(CONCLUSION, terms=Terms(late_limit_days=-1)), "late_limit_days"),
        (replace(CONCLUSION, terms=Terms(tolerance_ppm=10**7)), "tolerance_ppm"),
    ],
)
def test_refuses_what_two_partners_cannot_agree_upon(
    env: Environment, wrong: Conclusion, path: str
) -> None:
    with pytest.raises(ClearingHouseError) as refused:
        agreements.conclude(env, wrong)

    assert refused.value.code is codes.SEMANTIC
    assert [item.path for item in refused.value.items] == [path]
    assert agreements.all_agreements(env) == ()
    assert acts(env) == []


@pytest.mark.usefixtures("admitted")
def test_refuses_an_agreement_with_nobody(env: Environment) -> None:
    for stranger in (
        replace(CONCLUSION, visited="FRXXX"),
        replace(CONCLUSION, home="FRXXX"),
    ):
        with pytest.raises(ClearingHouseError) as refused:
            agreements.conclude(env, stranger)
        assert refused.value.code is codes.UNKNOWN_PARTICIPANT


@pytest.mark.usefixtures("admitted")
def test_refuses_terms_that_begin_before_coming_ones(env: Environment) -> None:
    agreements.conclude(env, replace(CONCLUSION, valid_from=seconds(3600)))

    with pytest.raises(ClearingHouseError) as refused:
        agreements.conclude(env, CONCLUSION)

    assert refused.value.code is codes.SEMANTIC
    assert len(agreements.all_agreements(env)) == 1


@pytest.mark.usefixtures("admitted")
def test_end_takes_effect_at_once_and_keeps_what_was(
    env: Environment, clock: StillClock
) -> None:
    agreements.conclude(env, CONCLUSION)
    clock.forward(seconds=60)

    ended = agreements.end(env, "CHREP", "DEABC")

    assert [one.agreement.valid_until for one in ended] == [seconds(60)]
    assert agreements.all_agreements(env) == ended
    assert not ended[0].agreement.in_force(seconds(60))
    assert acts(env)[-1] == ("end agreement", "CHREP DEABC")


@pytest.mark.usefixtures("admitted")
def test_end_in_one_currency_leaves_the_other(
    env: Environment, clock: StillClock
) -> None:
    agreements.conclude(env, CONCLUSION)
    agreements.conclude(env, replace(CONCLUSION, currency="CHF"))
    clock.forward(seconds=60)

    agreements.end(env, "CHREP", "DEABC", currency="CHF")

    in_force = [
        one.agreement.currency
        for one in agreements.all_agreements(env)
        if one.agreement.in_force(clock.now())
    ]
    assert in_force == ["EUR"]


@pytest.mark.usefixtures("admitted")
def test_nothing_is_ended_that_is_not_in_force(
    env: Environment, clock: StillClock
) -> None:
    agreements.conclude(env, replace(CONCLUSION, valid_from=seconds(3600)))
    with pytest.raises(ClearingHouseError) as early:
        agreements.end(env, "CHREP", "DEABC")
    clock.forward(seconds=3600)
    with pytest.raises(ClearingHouseError) as other:
        agreements.end(env, "CHREP", "DEABC", currency="CHF")
    agreements.end(env, "CHREP", "DEABC")
    with pytest.raises(ClearingHouseError) as twice:
        agreements.end(env, "CHREP", "DEABC")

    for refused in (early, other, twice):
        assert refused.value.code is codes.NO_AGREEMENT


def test_ended_agreement_reaches_the_directory_of_both(
    env: Environment, roaming: Roaming
) -> None:
    speakers = (roaming.csp_speaks, roaming.cso_speaks)
    cursors = [
        one.call("directory", "GetParticipants").required("nextCursor")
        for one in speakers
    ]

    agreements.end(env, "CHREP", "DEABC")

    for one, cursor in zip(speakers, cursors, strict=True):
        content = f"<cursor>{cursor}</cursor>"
        changed = one.call("directory", "GetParticipants", content)
        assert changed.text("ended") == "true", changed.raw


@pytest.mark.usefixtures("admitted")
def test_beginning_and_end_are_announced_once_each(
    env: Environment, clock: StillClock
) -> None:
    coming = timedelta(seconds=60)
    new = replace(CONCLUSION, valid_from=NOW + coming, valid_until=NOW + 2 * coming)
    agreements.conclude(env, new)
    turned = []

    for _ in range(3):
        turned += [agreements.announce_turns(env), agreements.announce_turns(env)]
        clock.forward(seconds=60)

    assert turned == [0, 0, 1, 0, 1, 0]
    with env.database.begin_read_only() as tx:
        assert len(rows.all_agreements(tx)) == 1
