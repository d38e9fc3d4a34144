"""SDRs: identity, control totals, sequence, entitlement, the home CSP's word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.exchange import Role, Sender
from clearinghouse.domain.sdrs import (
    ControlTotals,
    SdrStatus,
    ServiceDetailRecord,
    Severity,
    TotalsCounter,
    Verdict,
    check_control,
    check_entitled,
    check_sequence,
    content_digest,
    period_of,
    uid_hash,
    usage_of,
    verdict_step,
)
from tests.domain.builders import START, make_record, make_transaction

#: Of a record as the first version wrote it: stored digests are compared for ever.
DIGEST = "88291242474f2f6968283f7968398b2279d8420f99b0c73a937dfcd9f381e2fc"


def digest(record: ServiceDetailRecord) -> bytes:
    return content_digest(record, subject_id=1)


def counted(*records: ServiceDetailRecord) -> ControlTotals:
    counter = TotalsCounter()
    for record in records:
        counter.add(record)
    return counter.totals()


def test_id_is_compared_without_regard_to_case() -> None:
    assert uid_hash("sdr-1") == uid_hash("SDR-1")
    assert uid_hash("SDR-1") != uid_hash("SDR-2")
    assert len(uid_hash("SDR-1")) == 16


@pytest.mark.parametrize(
    "changed",
    [
        make_record(claimed_net="11.50"),
        make_record(make_transaction(energy_wh=23_457)),
        make_record(make_transaction(meter=(1, 2))),
        make_record(currency="CHF"),
        replace(make_record(), idle_seconds=1),
        replace(make_record(), partner_session_id="x"),
        replace(make_record(), ended_at=START + timedelta(seconds=3601)),
    ],
)
def test_any_change_changes_the_digest(changed: ServiceDetailRecord) -> None:
    assert digest(changed) != digest(make_record())


def test_digest_of_a_record_is_what_it_was_when_the_first_was_stored() -> None:
    record = replace(
        make_record(claimed_net="11.4900"),
        sdr_id="sdr-1",
        session_id=UUID(int=7),
        partner_session_id="x",
        parking_seconds=5,
    )

    assert digest(record).hex() == DIGEST
    assert content_digest(record, subject_id=1, period=period_of(record)) == digest(
        record
    )


def test_digest_ignores_how_an_amount_is_written() -> None:
    assert digest(make_record(claimed_net="11.490")) == digest(make_record())


@pytest.mark.clause("8-separate")
def test_digest_holds_pseudonyms_and_no_personal_value() -> None:
    record = make_record()
    with_card = replace(record, credential_value="04A1B2C3", contract_id="NN123")

    assert digest(with_card) == digest(record)
    assert content_digest(record, subject_id=2) != digest(record)
    assert "04A1B2C3" not in repr(with_card)
    assert "NN123" not in repr(with_card)


@pytest.mark.clause("3.11", "3.12", "3.13")
def test_usage_sums_the_transactions_of_all_charging_sessions() -> None:
    first = make_transaction(energy_wh=1_000, duration_seconds=600)
    record = make_record(first, make_transaction(energy_wh=500))

    usage = usage_of(record)

    assert [interval.energy_wh for interval in usage.intervals] == [1_000, 500]
    assert [interval.seconds for interval in usage.intervals] == [600, 3600]
    assert record.energy_wh == 1_500


def test_control_totals_that_agree_give_no_hit() -> None:
    records = make_record(), make_record(currency="CHF", claimed_net="3.1")

    totals = counted(*records)

    assert totals.net == {"EUR": Decimal("11.49"), "CHF": Decimal("3.1")}
    assert check_control(totals, counted(*reversed(records))) == ()


@pytest.mark.parametrize(
    ("declared", "path"),
    [
        ({"count": 2}, "control/count"),
        ({"energy_wh": 23_455}, "control/energyWh"),
        ({"net": {"EUR": Decimal("11.50")}}, "control/net[EUR]"),
        ({"net": {}}, "control/net[EUR]"),
        ({"first_ended_at": START}, "control/firstEndedAt"),
        ({"last_ended_at": START}, "control/lastEndedAt"),
    ],
)
def test_b003_any_other_total_refuses_the_batch(
    declared: dict[str, object], path: str
) -> None:
    totals = counted(make_record())
    stated = {
        "count": totals.count,
        "energy_wh": totals.energy_wh,
        "net": totals.net,
        "first_ended_at": None,
        "last_ended_at": None,
    } | declared

    hits = check_control(ControlTotals(**stated), totals)  # type: ignore[arg-type]  # the cases name the fields

    assert [(hit.rule, hit.severity, hit.path) for hit in hits] == [
        ("B-003", Severity.F, path)
    ]


def test_b003_compares_the_ends_only_when_they_are_declared() -> None:
    totals = counted(make_record())

    without = replace(totals, first_ended_at=None, last_ended_at=None)

    assert check_control(without, totals) == ()


@pytest.mark.parametrize(
    ("last", "sequence", "expected"),
    [(None, 1, None), (7, 8, None), (None, 2, "1"), (7, 7, "8"), (7, 9, "8")],
)
def test_b004_sequence_has_no_gap_and_no_repeat(
    last: int | None, sequence: int, expected: str | None
) -> None:
    hit = check_sequence(last, sequence)

    assert (hit and hit.expected) == expected


@pytest.mark.clause("4.2-visited", "4.2-dual")
@pytest.mark.parametrize(
    ("roles", "cso_id", "collected", "entitled"),
    [
        ({Role.CSO}, None, (), True),
        ({Role.CSO}, "CHVIS", (), True),
        ({Role.CSO}, "CHOTH", ("CHOTH",), False),
        ({Role.CSP}, "CHOTH", ("CHOTH",), True),
        ({Role.CSP}, "CHOTH", ("CHTHI",), False),
        ({Role.CSP}, None, ("CHVIS",), False),
        ({Role.CSP, Role.CSO}, None, (), True),
        ({Role.CSP, Role.CSO}, "CHOTH", ("CHOTH",), True),
        ({Role.CSP, Role.CSO}, "CHOTH", (), False),
    ],
)
def test_b005_cso_submits_for_itself_and_visited_csp_for_a_named_cso(
    roles: set[Role], cso_id: str | None, collected: tuple[str, ...], *, entitled: bool
) -> None:
    sender = Sender(participant_id=2, party_id="CHVIS", roles=frozenset(roles))

    found = check_entitled(
        sender,
        [(index, replace(make_record(), cso_id=cso_id)) for index in (4, 5)],
        lambda record: record.cso_id in collected,
    )

    named = None if found is None else (found[0], found[1].code)
    assert named == (None if entitled else (4, codes.SDR_BATCH_ENTITLED))


@pytest.mark.parametrize(
    ("current", "verdict", "after"),
    [
        (SdrStatus.ACCEPTED, Verdict.CONFIRMED, SdrStatus.CONFIRMED),
        (SdrStatus.DELIVERED, Verdict.REJECTED, SdrStatus.REJECTED),
        (SdrStatus.CONFIRMED, Verdict.CONFIRMED, SdrStatus.CONFIRMED),
        (SdrStatus.CONFIRMED, Verdict.REJECTED, codes.SDR_DECIDED),
        (SdrStatus.REJECTED, Verdict.CONFIRMED, codes.SDR_DECIDED),
        (SdrStatus.SETTLED, Verdict.REJECTED, codes.SDR_WINDOW_CLOSED),
        (SdrStatus.HELD, Verdict.CONFIRMED, codes.SDR_UNKNOWN),
        (SdrStatus.REFUSED, Verdict.CONFIRMED, codes.SDR_UNKNOWN),
    ],
)
def test_home_csp_has_one_word(
    current: SdrStatus, verdict: Verdict, after: SdrStatus | Code
) -> None:
    assert verdict_step(current, verdict) is after


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6),
            st.decimals(places=2, min_value=0, max_value=10**6),
            st.sampled_from(["EUR", "CHF"]),
        )
    )
)
def test_totals_are_the_sums_of_the_records(
    rows: list[tuple[int, Decimal, str]],
) -> None:
    records = [
        make_record(
            make_transaction(energy_wh=wh), claimed_net=str(net), currency=currency
        )
        for wh, net, currency in rows
    ]

    totals = counted(*records)

    assert totals.count == len(rows)
    assert totals.energy_wh == sum(wh for wh, _, _ in rows)
    assert sum(totals.net.values()) == sum(net for _, net, _ in rows)
