"""Credits and replacements: one chain, exact mirrors, the current window (2.7)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.sdrs import SdrKind, SdrStatus, ServiceDetailRecord, Verdict
from clearinghouse.services import held_sdrs, sdrs, settlement
from clearinghouse.services.sdrs import SdrQuery, SdrRole, StatusQuery, Word
from clearinghouse.storage import sdr_intake
from clearinghouse.storage.tables.sdrs import sdr
from tests.builders import make_sender
from tests.services.sdr_world import (
    World,
    make_sdr,
    make_world,
    message,
    price,
    rules_of,
    spanning,
)

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment

SIGNED = (
    "energy_wh",
    "charge_seconds",
    "idle_seconds",
    "parking_seconds",
    "net_minor",
    "claimed_minor",
)


@pytest.fixture
def world(env: Environment) -> World:
    """Put everything in force that an SDR needs."""
    return make_world(env)


def credit_of(
    record: ServiceDetailRecord, sdr_id: str = "", **override: object
) -> ServiceDetailRecord:
    """Return the credit of a record, as its submitter writes it."""
    made = replace(
        record,
        sdr_id=sdr_id or f"{record.sdr_id}-C",
        kind=SdrKind.CREDIT,
        ref_sdr_id=record.sdr_id,
    )
    return replace(made, **override)  # type: ignore[arg-type]  # by the tests


def replacement_of(
    record: ServiceDetailRecord, *, energy_wh: int, claimed: str, **override: object
) -> ServiceDetailRecord:
    """Return what stands behind the credit of a record, with other figures."""
    made = spanning(record, record.started_at, minutes=40, energy_wh=energy_wh)
    made = replace(
        made,
        sdr_id=f"{record.sdr_id}-R",
        claimed_net=Decimal(claimed),
        kind=SdrKind.REPLACEMENT,
        ref_sdr_id=f"{record.sdr_id}-C",
    )
    return replace(made, **override)  # type: ignore[arg-type]  # by the tests


def statuses(world: World, *sdr_ids: str) -> list[SdrStatus]:
    """Return where SDRs stand, for their submitter."""
    query = StatusQuery(sdr_ids=sdr_ids)
    page = sdrs.get_sdr_status(world.env, make_sender(world.cso), query)
    return [one.status for one in page.standings]


def net_of(world: World) -> int:
    """Return what the home CSP owes the CSO in the open window."""
    found = settlement.positions(world.env, make_sender(world.cso), None)
    return found.net.get("EUR", 0)


def reasons(world: World, record: ServiceDetailRecord) -> list[tuple[str | None, str]]:
    """Return why a record is refused: rule and path."""
    told = world.submit([record])
    assert told.counts.refused == 1, told
    return [(item.rule, item.path) for item in told.items]


@pytest.mark.clause("4.3-I3")
def test_a_credit_mirrors_every_figure_and_the_chain_comes_to_nothing(
    world: World,
) -> None:
    record = replace(world.session(), idle_seconds=0, parking_seconds=7)
    world.submit([record])

    told = world.submit([credit_of(record)])

    assert (told.counts.accepted, told.items) == (1, ())
    with world.env.database.begin_read_only() as tx:
        first, second = tx.execute(select(sdr).order_by(sdr.c.sdr_no)).mappings()
    for name in SIGNED:
        assert second[name] == -first[name], name
    same = set(first) - {*SIGNED, "sdr_no", "sdr_uid", "batch_id", "received_at"}
    same -= {"content_digest", "changed_xid", "change_id", "leaf", "kind"}
    same -= {"ref_window_id", "ref_sdr_no", "rule_codes"}
    assert {name: first[name] for name in same} == {name: second[name] for name in same}
    assert (second["ref_window_id"], second["ref_sdr_no"]) == (
        first["window_id"],
        first["sdr_no"],
    )
    assert net_of(world) == 0
    ids = (record.sdr_id, f"{record.sdr_id}-C")
    assert statuses(world, *ids) == [SdrStatus.CORRECTED, SdrStatus.ACCEPTED]


def test_half_a_cent_is_taken_back_as_it_was_rounded(world: World) -> None:
    """R7: 12.5 kWh at 0.01 are 0.125, rated 0.13; the credit is -0.13."""
    with world.env.database.begin() as tx:
        from clearinghouse.storage import tariffs  # noqa: PLC0415
        from clearinghouse.storage.tariffs import Publication  # noqa: PLC0415

        cheap = Publication(
            publisher_id=world.cso.participant_id,
            tariff=price(10_000, tariff_id="T-CENT"),
        )
        tariffs.publish(tx, cheap, at=world.env.clock.now() - timedelta(days=30))
    session = world.session()
    record = replace(
        spanning(session, session.started_at, minutes=40, energy_wh=12_500),
        tariff_id="T-CENT",
        claimed_net=Decimal("0.13"),
    )

    world.submit([record])
    charged = net_of(world)
    world.submit([credit_of(record)])

    with world.env.database.begin_read_only() as tx:
        query = select(sdr.c.net_minor).order_by(sdr.c.sdr_no)
        nets = list(tx.execute(query).scalars())
    assert (charged, nets, net_of(world)) == (13, [13, -13], 0)


def test_original_credit_and_replacement_come_in_one_batch(world: World) -> None:
    record = world.session()
    right = replacement_of(record, energy_wh=20_000, claimed="9.80")

    told = world.submit([record, credit_of(record), right])

    assert (told.counts.accepted, told.items) == (3, ())
    assert net_of(world) == 980
    ids = [record.sdr_id, f"{record.sdr_id}-C", right.sdr_id]
    assert statuses(world, *ids) == [
        SdrStatus.CORRECTED,
        SdrStatus.CORRECTED,
        SdrStatus.ACCEPTED,
    ]


def test_chain_goes_on_and_one_version_counts(world: World) -> None:
    record = world.session()
    right = replacement_of(record, energy_wh=20_000, claimed="9.80")
    second = credit_of(right, "SECOND-C")
    last = replace(
        replacement_of(record, energy_wh=10_000, claimed="4.90"),
        sdr_id="LAST",
        ref_sdr_id="SECOND-C",
    )

    for one in (record, credit_of(record), right, second, last):
        assert world.submit([one]).counts.accepted == 1, one.sdr_id

    assert net_of(world) == 490
    assert statuses(world, right.sdr_id, "SECOND-C", "LAST") == [
        SdrStatus.CORRECTED,
        SdrStatus.CORRECTED,
        SdrStatus.ACCEPTED,
    ]


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ({"claimed_net": Decimal("11.48")}, "claimedNet"),
        ({"claimed_net": Decimal("-11.49")}, "claimedNet"),
        ({"idle_seconds": 1}, "serviceSession/idleSeconds"),
        ({"parking_seconds": 1}, "serviceSession/parkingSeconds"),
        ({"tariff_id": "T-2"}, "tariffId"),
        ({"evse_id": "CH*REP*E0002*1"}, "serviceSession/evseId"),
        ({"csp_id": "FRXYZ"}, "serviceSession/cspId"),
        ({"charging_sessions": []}, "serviceSession/chargingSession"),
        ({"ref_sdr_id": "NEVER"}, "refSdrId"),
        ({"ref_sdr_id": None}, "refSdrId"),
        ({"kind": SdrKind.REPLACEMENT}, "refSdrId"),
        ({"kind": SdrKind.ORIGINAL}, "refSdrId"),
    ],
)
def test_correction_that_does_not_fit_is_refused_with_the_element(
    world: World, override: dict[str, Any], path: str
) -> None:
    record = world.session()
    world.submit([record])

    told = reasons(world, credit_of(record, **override))

    assert ("S-109", path) in told
    assert net_of(world) == 1149


def test_all_faults_of_a_credit_are_told_in_one_answer(world: World) -> None:
    record = world.session()
    world.submit([record])
    wrong = credit_of(
        record, claimed_net=Decimal("1.00"), idle_seconds=5, tariff_id="T-2"
    )

    paths = {path for rule, path in reasons(world, wrong) if rule == "S-109"}

    assert paths == {"serviceSession/idleSeconds", "tariffId", "claimedNet"}


def test_a_version_is_credited_once(world: World) -> None:
    record = world.session()
    world.submit([record, credit_of(record)])

    again = reasons(world, credit_of(record, "OTHER-C"))
    same = world.submit([credit_of(record)])

    assert again == [("S-109", "refSdrId")]
    assert same.counts.duplicates == 1
    assert net_of(world) == 0


def test_two_credits_in_one_batch_are_one_credit(world: World) -> None:
    record = world.session()
    world.submit([record])

    told = world.submit([credit_of(record), credit_of(record, "OTHER-C")])

    assert (told.counts.accepted, told.counts.refused) == (1, 1)
    assert rules_of(told.items) == ["S-109"]


def test_credit_against_rejection_at_once_pays_back_once(world: World) -> None:
    record = world.session()
    world.submit([record])
    csp = make_sender(world.csp)
    word = Word(submitter_party="CHREP", sdr_id=record.sdr_id, verdict=Verdict.REJECTED)

    def reject() -> None:
        exchange = message(csp, operation="ConfirmSdrs")
        sdrs.confirm_sdrs(world.env, exchange, [word], lambda _: b"<answer/>")

    with ThreadPoolExecutor(2) as pool:
        rejecting = pool.submit(reject)
        crediting = pool.submit(world.submit, [credit_of(record)])
        rejecting.result()
        crediting.result()

    assert net_of(world) == 0


def test_a_replacement_needs_a_credit_before_it(world: World) -> None:
    record = world.session()
    world.submit([record])
    early = replacement_of(record, energy_wh=20_000, claimed="9.80")

    missing = reasons(world, early)
    of_original = reasons(world, replace(early, sdr_id="X", ref_sdr_id=record.sdr_id))

    assert ("S-109", "refSdrId") in missing
    assert ("S-109", "refSdrId") in of_original


def test_replacement_is_held_by_rules_and_taken_in_behind_its_credit(
    world: World,
) -> None:
    record = world.session()
    wrong = replacement_of(record, energy_wh=20_000, claimed="99.00")
    told = world.submit([record, credit_of(record), wrong])
    assert rules_of(told.items) == ["S-208"]
    before = net_of(world)

    held_sdrs.release(world.env, "CHREP", wrong.sdr_id)

    assert (before, net_of(world)) == (0, 980)
    assert statuses(world, f"{record.sdr_id}-C") == [SdrStatus.CORRECTED]
    again = replace(wrong, sdr_id="AGAIN", claimed_net=Decimal("9.80"))
    assert reasons(world, again) == [("S-109", "refSdrId")]


def test_held_replacement_does_not_go_in_when_another_one_stands_there(
    world: World,
) -> None:
    record = world.session()
    wrong = replacement_of(record, energy_wh=20_000, claimed="99.00")
    right = replace(wrong, sdr_id="RIGHT", claimed_net=Decimal("9.80"))
    world.submit([record, credit_of(record), wrong])
    assert world.submit([right]).counts.held + 1  # the held one overlaps it

    held_sdrs.reject(world.env, "CHREP", wrong.sdr_id)
    held_sdrs.release(world.env, "CHREP", "RIGHT")

    assert net_of(world) == 980
    with pytest.raises(ClearingHouseError) as refused:
        held_sdrs.release(world.env, "CHREP", wrong.sdr_id)
    assert refused.value.code is codes.SDR_DECIDED


def test_rejected_replacement_makes_room_for_another_one(world: World) -> None:
    record = world.session()
    first = replacement_of(record, energy_wh=20_000, claimed="9.80")
    world.submit([record, credit_of(record), first])
    word = Word(submitter_party="CHREP", sdr_id=first.sdr_id, verdict=Verdict.REJECTED)
    exchange = message(make_sender(world.csp), operation="ConfirmSdrs")
    sdrs.confirm_sdrs(world.env, exchange, [word], lambda _: b"<answer/>")
    rejected = net_of(world)

    second = replace(
        replacement_of(record, energy_wh=10_000, claimed="4.90"), sdr_id="SECOND"
    )
    told = world.submit([second])

    assert (rejected, told.counts.accepted, net_of(world)) == (0, 1, 490)


def test_a_credit_cannot_be_rejected(world: World) -> None:
    record = world.session()
    world.submit([record, credit_of(record)])
    word = Word(
        submitter_party="CHREP", sdr_id=f"{record.sdr_id}-C", verdict=Verdict.REJECTED
    )
    exchange = message(make_sender(world.csp), operation="ConfirmSdrs")
    told: list[codes.Code] = []

    def render(outcome: object) -> bytes:
        told.extend(item.code for item in outcome.items)  # type: ignore[attr-defined]
        return b"<answer/>"

    sdrs.confirm_sdrs(world.env, exchange, [word], render)

    assert told == [codes.SDR_DECIDED]
    assert net_of(world) == 0


def test_after_the_close_a_credit_falls_into_the_open_window_and_turns_the_debt(
    world: World,
) -> None:
    record = world.session()
    world.submit([record])
    first = world.close("second")

    world.submit([credit_of(record)])
    second = world.close("third")

    assert [one.gross_minor for one in first.settlements] == [1149]
    assert [one.gross_minor for one in second.settlements] == [1149]
    assert settlement.prove(world.env, first.window.window_id) == ()
    assert settlement.prove(world.env, second.window.window_id) == ()
    assert second.statements == 2
    csp = settlement.positions(
        world.env, make_sender(world.csp), second.window.window_id
    )
    assert csp.net == {"EUR": 1149}


def test_another_submitter_cannot_credit_an_sdr_nor_learn_of_it(world: World) -> None:
    record = world.session()
    world.submit([record])
    foreign = credit_of(record, cso_id="CHREP")

    told = world.submit([foreign], sender=world.visited_csp)
    unknown = world.submit(
        [credit_of(make_sdr(), cso_id="CHREP")], sender=world.visited_csp
    )

    found = [(item.rule, item.path, item.expected) for item in told.items]
    assert ("S-109", "refSdrId", "an SDR of yours") in found
    assert found == [(item.rule, item.path, item.expected) for item in unknown.items]


def test_both_sides_see_kind_reference_and_the_figures_as_they_were_sent(
    world: World,
) -> None:
    record = world.session()
    world.submit([record, credit_of(record)])

    for sender, role in (
        (world.csp, SdrRole.HOME_CSP),
        (world.cso, SdrRole.SUBMITTER),
    ):
        query = SdrQuery(role=role, cursor=None, limit=10)
        page = sdrs.get_sdrs(world.env, make_sender(sender), query)
        credit = page.items[1]
        assert credit.record.kind is SdrKind.CREDIT
        assert credit.record.ref_sdr_id == record.sdr_id
        assert credit.record.claimed_net == Decimal("11.49")
        assert credit.rated_net_minor == -1149


def test_old_sessions_are_still_corrected(world: World) -> None:
    record = world.session()
    world.submit([record])
    world.env.clock.forward(seconds=100 * 86_400)  # type: ignore[attr-defined]
    right = replacement_of(record, energy_wh=20_000, claimed="9.80")

    told = world.submit([credit_of(record), right])

    assert (told.counts.accepted, told.items) == (2, ())


def test_rows_of_a_batch_are_cut_before_what_corrects_them() -> None:
    from clearinghouse.services.sdr_batch import _runs  # noqa: PLC0415

    one, two = make_sdr(sdr_id="a"), make_sdr(sdr_id="b")
    records = [one, two, credit_of(one, "c"), credit_of(two, "d"), credit_of(one, "e")]

    runs = [[index for index, _ in run] for run in _runs(list(enumerate(records)))]

    assert runs == [[0, 1], [2, 3], [4]]
    assert list(_runs([])) == []
    assert sdr_intake.NewSdr._field_defaults["kind"] == "ORIGINAL"
