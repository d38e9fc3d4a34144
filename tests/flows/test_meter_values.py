"""Meter values through the contract: readings that rate, signed values untouched."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.meters import (
    Encoding,
    MeterReading,
    SignedFormat,
    SignedMeterValue,
)
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.services import held_sdrs
from clearinghouse.storage import tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import NOW
from tests.flows.sdr_messages import batch
from tests.ocmf import Meter, session_text
from tests.services.sdr_world import (
    SINCE,
    World,
    make_world,
    price,
    put_evse,
    spanning,
)

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site
    from tests.fixtures.engine import Answer, Speaker

METER = Meter()
CARD = "04A1B2C3D4E5F6"


@pytest.fixture
def terms() -> Terms:
    return Terms()


@pytest.fixture
def world(env: Environment, terms: Terms) -> World:
    made = make_world(env, terms=terms)
    put_evse(made, "CH*REP*E0001*1", meter_public_key=METER.public_key)
    return made


@pytest.fixture
def cso(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.cso)


@pytest.fixture
def csp(world: World, speaker: Callable[[Participant], Speaker]) -> Speaker:
    return speaker(world.csp)


def value(text: str, encoding: Encoding = Encoding.PLAIN) -> SignedMeterValue:
    return SignedMeterValue(
        format=SignedFormat.OCMF,
        encoding=encoding,
        data=text,
        public_key=METER.public_key,
    )


def with_values(
    record: ServiceDetailRecord, *values: SignedMeterValue
) -> ServiceDetailRecord:
    """Return the record whose only transaction has these signed values."""
    (session,) = record.charging_sessions
    (transaction,) = session.transactions
    signed = replace(transaction, signed_values=values)
    return replace(record, charging_sessions=[replace(session, transactions=[signed])])


def signed(record: ServiceDetailRecord) -> str:
    """Return what the meter signed of a record's transaction."""
    return METER.sign(session_text(record.started_at, minutes=40).payload())


def submit(cso: Speaker, *records: ServiceDetailRecord, sequence: int = 1) -> Answer:
    return cso.call("sdr", "SubmitSdrs", batch(sequence, records))


def texts(answer: Answer) -> list[str]:
    """Return the signed values of an answer as they stand in it."""
    return [one.findtext("{*}data") or "" for one in answer.all("signedMeterValue")]


@pytest.mark.clause("4.3-I3", "3.13")
def test_signed_values_reach_the_home_csp_as_the_meter_gave_them(
    world: World, cso: Speaker, csp: Speaker, speaker: Callable[[Participant], Speaker]
) -> None:
    first, second, third = (world.session() for _ in range(3))
    plain = signed(first)
    coded = base64.b64encode(signed(second).encode()).decode()
    digits = signed(third).encode().hex().upper()

    answer = submit(
        cso,
        with_values(first, value(plain)),
        with_values(second, value(coded, Encoding.BASE64)),
        with_values(third, value(digits, Encoding.HEX)),
    )

    assert (answer.code, answer.items) == (0, [])
    pulled = csp.call("sdr", "GetSdrs")
    own = cso.call("sdr", "GetSdrs", "<role>SUBMITTER</role>")
    stranger = speaker(world.other_csp).call("sdr", "GetSdrs")
    assert texts(pulled) == texts(own) == [plain, coded, digits]
    assert [one.findtext("{*}encoding") for one in pulled.all("signedMeterValue")] == [
        "PLAIN",
        "BASE64",
        "HEX",
    ]
    assert {one.findtext("{*}publicKey") for one in pulled.all("signedMeterValue")} == {
        METER.public_key
    }
    assert (texts(stranger), stranger.all("sdr")) == ([], [])


def test_signs_of_markup_in_a_signed_value_stay_what_they_are(
    world: World, cso: Speaker, csp: Speaker
) -> None:
    record = world.session()
    text = session_text(record.started_at, minutes=40)
    text.person = "<a & 'b'>  \u00e9\u20ac"
    odd = METER.sign(text.payload())

    answer = submit(cso, with_values(record, value(odd)))

    assert answer.code == 0
    assert texts(csp.call("sdr", "GetSdrs")) == [odd]


@pytest.mark.border("S-111")
def test_a_signed_value_that_does_not_hold_is_held(
    world: World, cso: Speaker, csp: Speaker
) -> None:
    record = world.session()
    forged = signed(record).replace("1023.456", "1123.456")

    answer = submit(cso, with_values(record, value(forged)))

    assert answer.required("held") == "1"
    (item,) = answer.items
    assert (item["code"], item["rule"]) == ("660", "S-111")
    assert item["path"] == (
        "serviceSession/chargingSession[1]/chargingTransaction[1]/signedMeterValue[1]"
    )
    assert CARD not in answer.raw.decode()
    assert csp.call("sdr", "GetSdrs").all("sdr") == []
    held_sdrs.release(world.env, "CHREP", record.sdr_id)
    assert texts(csp.call("sdr", "GetSdrs")) == [forged]


@pytest.mark.parametrize("terms", [Terms(signed_meter_required=True)])
def test_under_calibration_law_it_is_refused_and_unsigned_ones_are_remarked_on(
    world: World, cso: Speaker, csp: Speaker
) -> None:
    bad, bare, good = (world.session() for _ in range(3))
    forged = signed(bad).replace("1023.456", "1123.456")

    answer = submit(
        cso,
        with_values(bad, value(forged)),
        bare,
        with_values(good, value(signed(good))),
    )

    assert [(item["index"], item["code"], item["rule"]) for item in answer.items] == [
        ("0", "660", "S-111"),
        ("1", "170", "S-305"),
    ]
    assert [answer.required(name) for name in ("accepted", "refused")] == ["2", "1"]
    assert texts(csp.call("sdr", "GetSdrs")) == [signed_once(good, csp)]


def signed_once(record: ServiceDetailRecord, csp: Speaker) -> str:
    """Return the signed value of one SDR as its home CSP gets it."""
    pulled = csp.call("sdr", "GetSdrs")
    for one in pulled.all("sdr"):
        if one.findtext(".//{*}sdrId") == record.sdr_id:
            return one.findtext(".//{*}data") or ""
    raise AssertionError(record.sdr_id)


def test_a_key_of_the_sdr_alone_is_remarked_on(world: World, cso: Speaker) -> None:
    put_evse(world, "CH*REP*E0001*1", meter_public_key=None)
    record = world.session()

    answer = submit(cso, with_values(record, value(signed(record))))

    assert answer.code == 160
    (item,) = answer.items
    assert (item["code"], item["rule"]) == ("171", "S-305")


def test_a_repeat_is_known_and_another_signature_is_other_content(
    world: World, cso: Speaker
) -> None:
    record = world.session()
    sent = with_values(record, value(signed(record)))
    submit(cso, sent)

    again = submit(cso, sent, sequence=2)
    other = submit(cso, with_values(record, value(signed(record))), sequence=3)

    assert again.required("duplicates") == "1"
    assert other.items[0]["rule"] == "S-101"


@pytest.mark.clause("8-separate", "8-forget")
def test_the_text_is_sealed_and_goes_with_the_person_while_its_digest_stays(
    world: World, cso: Speaker, csp: Speaker, site: Site
) -> None:
    vault = world.env.vault
    person = vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, [CARD], at=NOW
    ).subjects[CARD]
    known, unknown = world.session(), world.session()
    known.credential_kind, known.credential_value = CredentialKind.RFID, CARD
    sent = [signed(known), signed(unknown)]
    submit(
        cso,
        with_values(known, value(sent[0])),
        with_values(unknown, value(sent[1])),
    )

    with site.superuser() as connection:
        digests = {
            row[0]
            for row in connection.execute(
                "SELECT digest FROM clearing.signed_value"
            ).fetchall()
        }
        everything = "".join(
            str(connection.execute(query).fetchall())
            for query in (
                "SELECT * FROM clearing.signed_value",
                "SELECT * FROM clearing.sdr",
                "SELECT * FROM clearing.rule_hit",
                "SELECT * FROM clearing.message",
                "SELECT * FROM privacy.sealed_text",
            )
        )
    assert digests == {sha256(text.encode()).digest() for text in sent}
    assert CARD not in everything
    assert "OCMF" not in everything.replace("'OCMF'", "")

    vault.erase([person], at=NOW)

    assert texts(csp.call("sdr", "GetSdrs")) == [sent[1]]
    with site.superuser() as connection:
        kept = connection.execute("SELECT count(*) FROM clearing.signed_value")
        assert kept.fetchall() == [(2,)]
        left = connection.execute("SELECT count(*) FROM privacy.sealed_text")
        assert left.fetchall() == [(1,)]


def _by_time_of_day(world: World, publisher: Participant) -> None:
    """Publish 0.40 by day and 0.55 from 10:20 in Zurich."""
    tariff = price(400_000, tariff_id="TOD")
    (component,) = tariff.components
    day = replace(component, local_until=10 * 60 + 20)
    night = replace(component, price_u=550_000, local_from=10 * 60 + 20)
    whole = replace(tariff, components=(day, night))
    with world.env.database.begin() as tx:
        made = Publication(publisher_id=publisher.participant_id, tariff=whole)
        tariffs.publish(tx, made, at=SINCE)


def test_r4_readings_let_a_price_by_time_of_day_take_its_share(
    world: World, cso: Speaker, csp: Speaker
) -> None:
    _by_time_of_day(world, world.cso)
    split, whole = (_thirty_kwh(world) for _ in range(2))
    (transaction,) = split.charging_sessions[0].transactions
    start = transaction.started_at
    begin, middle, end = (
        MeterReading(at, 1_000_000 + wh)
        for at, wh in (
            (start, 0),
            (start.replace(hour=9, minute=20), 12_400),
            (transaction.ended_at, 30_000),
        )
    )
    transaction.readings = (begin, middle, end)
    split.claimed_net, whole.claimed_net = Decimal("14.64"), Decimal("12.00")

    answer = submit(cso, split, whole)

    assert (answer.code, answer.items) == (0, [])
    pulled = csp.call("sdr", "GetSdrs")
    assert [one.text for one in pulled.all("ratedNet")] == ["14.64", "12.00"]
    assert [one.findtext("{*}registerWh") for one in pulled.all("meterReading")] == [
        "1000000",
        "1012400",
        "1030000",
    ]


def _thirty_kwh(world: World) -> ServiceDetailRecord:
    record = world.session(tariff_id="TOD")
    at = record.started_at
    return spanning(record, at, minutes=40, energy_wh=30_000)


def test_readings_that_fall_are_refused_with_their_place(
    world: World, cso: Speaker
) -> None:
    record = world.session()
    (transaction,) = record.charging_sessions[0].transactions
    transaction.readings = (
        MeterReading(transaction.started_at, 23_456),
        MeterReading(transaction.ended_at, 0),
    )

    answer = submit(cso, record)

    wrong = [(item["rule"], item["path"].rpartition("]/")[2]) for item in answer.items]
    assert wrong == [
        ("S-110", "registerWh"),
        ("S-110", "energyWh"),
    ]
