"""Rules on meter values: S-110 readings, S-111 signed values, S-305 what is missing."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from clearinghouse import codes
from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.meter_rules import (
    READINGS_MAX,
    SIGNED_CHARACTERS_MAX,
    SIGNED_VALUES_MAX,
)
from clearinghouse.domain.meters import (
    Encoding,
    MeterReading,
    SignedFormat,
    SignedMeterValue,
)
from clearinghouse.domain.rating import compile_tariff
from clearinghouse.domain.sdr_facts import Judgement, Outcome, TariffFacts
from clearinghouse.domain.sdr_rules import judge
from clearinghouse.domain.sdrs import ChargingTransaction, content_digest
from clearinghouse.domain.signed_transactions import Standing
from clearinghouse.domain.tariffs import ComponentType, Tariff
from tests.domain.builders import (
    BERLIN,
    START,
    component,
    make_agreement,
    make_facts,
    make_record,
    make_tariff,
    make_transaction,
    seconds,
)
from tests.ocmf import CURVES, Meter, Text, kwh, session_text

METER = Meter()
OTHER = Meter(number=2)


def value(
    text: str,
    *,
    key: str | None = None,
    encoding: Encoding = Encoding.PLAIN,
    kind: SignedFormat = SignedFormat.OCMF,
) -> SignedMeterValue:
    return SignedMeterValue(format=kind, encoding=encoding, data=text, public_key=key)


def judged(
    *values: SignedMeterValue,
    registered: str | None = METER.public_key,
    required: bool = False,
    transaction: ChargingTransaction | None = None,
) -> Judgement:
    """Judge an SDR whose transaction has these signed values."""
    agreement = make_agreement(terms=Terms(signed_meter_required=required))
    facts = make_facts(agreement=agreement)
    assert facts.evse is not None
    facts.evse = facts.evse._replace(meter_key=registered)
    part = transaction or make_transaction()
    return judge(make_record(replace(part, signed_values=values)), facts)


def met(judgement: Judgement) -> list[tuple[str, int, str]]:
    return [(hit.rule, hit.code.number, hit.path) for hit in judgement.hits]


def told(judgement: Judgement) -> list[tuple[str, str]]:
    return [(hit.expected, hit.found) for hit in judgement.hits]


_PATH = "serviceSession/chargingSession[1]/chargingTransaction[1]"


def half(moment: str, register_wh: int, page: int, *, at: int = 0) -> Text:
    text = Text(page=f"T{page}")
    return text.add(START + seconds(at), moment, kwh(register_wh))


def pair(*texts: Text, meters: tuple[Meter, Meter] = (METER, METER)) -> Judgement:
    return judged(
        *(
            value(meter.sign(text.payload()))
            for text, meter in zip(texts, meters, strict=True)
        )
    )


BEGIN = half("B", 1_000_000, 7)
END = half("E", 1_023_456, 8, at=3600)


# Readings


def read(*pairs: tuple[int, int]) -> ChargingTransaction:
    """Return a transaction of an hour with readings by second and register."""
    found = tuple(MeterReading(START + seconds(at), wh) for at, wh in pairs)
    return replace(make_transaction(is_metered=False), readings=found)


@pytest.mark.parametrize("last_wh", [23_455, 23_456, 23_457])
def test_s110_readings_in_order_that_add_up_are_kept(last_wh: int) -> None:
    record = make_record(read((0, 0), (600, 0), (600, 9_000), (3600, last_wh)))

    found = judge(record, make_facts())

    assert (found.outcome, found.hits) == (Outcome.ACCEPTED, ())
    assert (found.energy_wh, found.charge_seconds) == (23_456, 3600)


@pytest.mark.parametrize(
    ("transaction", "path"),
    [
        (
            read((0, 0), (900, 9_000), (600, 9_000), (3600, 23_456)),
            "meterReading[3]/at",
        ),
        (read((0, 5), (600, 4), (3600, 23_461)), "meterReading[2]/registerWh"),
        (read((-1, 0), (3600, 23_456)), "meterReading[1]/at"),
        (read((0, 0), (3601, 23_456)), "meterReading[2]/at"),
        (read((0, 0), (3600, 23_454)), "energyWh"),
        (read((0, 0), (3600, 23_458)), "energyWh"),
        (read((0, 7)), "energyWh"),
    ],
)
def test_s110_readings_that_contradict_the_transaction(
    transaction: ChargingTransaction, path: str
) -> None:
    found = judge(make_record(transaction), make_facts())

    assert found.outcome is Outcome.REFUSED
    assert met(found) == [("S-110", 620, f"{_PATH}/{path}")]


def test_s110_readings_of_one_record_are_bounded() -> None:
    steps = [(0, 0)] * 500
    parts = [
        replace(read(*steps), charging_transaction_id=str(n), energy_wh=0)
        for n in range(3)
    ]

    found = judge(make_record(*parts), make_facts())

    assert found.hits[0].expected == f"at most {READINGS_MAX} readings in one record"
    assert found.outcome is Outcome.REFUSED


def _by_time_of_day() -> Tariff:
    """0.40 until 11:00 in Berlin, then 0.55; the session starts at 10:00 there."""
    return make_tariff(
        component(ComponentType.ENERGY, "0.40", local_until=11 * 60),
        component(ComponentType.ENERGY, "0.55", local_from=11 * 60),
    )


@pytest.mark.parametrize(
    ("readings", "net_minor"),
    [
        (((0, 0), (3600, 12_400), (7200, 30_000)), 1464),
        (((0, 0), (7200, 30_000)), 1200),
    ],
)
def test_r4_a_price_by_time_of_day_takes_what_was_drawn_in_its_time(
    readings: tuple[tuple[int, int], ...], net_minor: int
) -> None:
    tariff = _by_time_of_day()
    facts = make_facts()
    facts.tariff = TariffFacts(1, "EUR", compile_tariff(tariff, BERLIN))
    # START is 9:00 UTC, 10:00 in Berlin.
    transaction = replace(
        read(*readings), energy_wh=30_000, ended_at=START + seconds(7200)
    )
    claimed = str(Decimal(net_minor).scaleb(-2))

    found = judge(make_record(transaction, claimed_net=claimed), facts)

    assert (found.net_minor, found.hits) == (net_minor, ())


# Signed values that hold


@pytest.mark.parametrize("curve", CURVES)
def test_s111_one_record_with_begin_and_end_holds(curve: str) -> None:
    meter = Meter(curve)
    text = meter.sign(session_text(START).payload())

    found = judged(value(text), registered=meter.public_key, required=True)

    assert (found.outcome, found.hits) == (Outcome.ACCEPTED, ())
    (evidence,) = found.evidence
    assert evidence.standings == [Standing.VERIFIED]
    assert evidence.keys == [meter.public_key]


def test_s111_two_records_with_pages_that_follow_hold() -> None:
    found = pair(BEGIN, END)

    assert (found.outcome, found.hits) == (Outcome.ACCEPTED, ())
    assert found.evidence[0].standings == [Standing.VERIFIED] * 2


def test_s111_records_between_begin_and_end_hold() -> None:
    texts = [BEGIN, half("C", 1_010_000, 8, at=1800), half("E", 1_023_456, 9, at=3600)]

    found = judged(*(value(METER.sign(one.payload())) for one in texts))

    assert found.hits == ()


@pytest.mark.parametrize("encoding", [Encoding.BASE64, Encoding.HEX])
def test_s111_each_encoding_holds(encoding: Encoding) -> None:
    raw = METER.sign(session_text(START).payload()).encode()
    text = raw.hex() if encoding is Encoding.HEX else base64.b64encode(raw).decode()

    assert judged(value(text, encoding=encoding)).hits == ()


@pytest.mark.parametrize("energy_wh", [23_455, 23_457])
def test_s111_energy_may_differ_by_what_is_rounded(energy_wh: int) -> None:
    text = METER.sign(session_text(START, energy_wh=energy_wh).payload())

    assert judged(value(text)).hits == ()


@pytest.mark.parametrize("moment", ["E", "L", "R", "A", "P"])
def test_s111_each_end_of_the_format_ends_a_transaction(moment: str) -> None:
    assert pair(BEGIN, half(moment, 1_023_456, 8, at=3600)).hits == ()


def test_s111_the_meters_clock_may_differ_by_a_minute() -> None:
    early, late = half("B", 0, 7, at=-60), half("E", 23_456, 8, at=3660)

    assert pair(early, late).hits == ()


# Signed values that do not


_SIGNED = METER.sign(session_text(START).payload())


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        _SIGNED.replace("1023.456", "1033.456"),
        _SIGNED.replace("04A1B2C3D4E5F6", "04A1B2C3D4E5F7"),
        _SIGNED.replace(',"IS":true', ',"IS":false'),
        _SIGNED.replace('"SD":"30', '"SD":"31'),
        _SIGNED.replace('"PG":"T12"', '"PG":"T12","PG":"T12"'),
        _SIGNED[:-1],
        "{}",
        OTHER.sign(session_text(START).payload()),
    ],
)
def test_s111_refuses_where_agreed_and_holds_elsewhere(
    text: str, *, required: bool
) -> None:
    found = judged(value(text), required=required)

    assert met(found) == [("S-111", 660, f"{_PATH}/signedMeterValue[1]")]
    assert found.outcome is (Outcome.REFUSED if required else Outcome.HELD)
    assert found.evidence[0].standings == [Standing.INVALID]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("fffe", Encoding.HEX),
        ("zz", Encoding.HEX),
        ("//4=", Encoding.BASE64),
        (_SIGNED, Encoding.BASE64),
        (_SIGNED.encode().hex(), Encoding.PLAIN),
    ],
)
def test_s111_another_encoding_than_the_one_named_does_not_hold(
    text: str, encoding: Encoding
) -> None:
    found = judged(value(text, encoding=encoding))

    assert met(found) == [("S-111", 660, f"{_PATH}/signedMeterValue[1]")]


def test_s111_the_registered_key_counts_and_not_the_senders() -> None:
    forged = OTHER.sign(session_text(START).payload())

    found = judged(value(forged, key=OTHER.public_key))

    assert told(found) == [("a signature by the meter's key", "a wrong signature")]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((END, BEGIN), "the next page"),
        (
            (half("E", 1_023_456, 7), half("B", 1_000_000, 8)),
            "begin first and end last",
        ),
        ((BEGIN, half("E", 1_023_456, 9, at=3600)), "the next page"),
        ((BEGIN, half("E", 1_023_456, 7, at=3600)), "the next page"),
        ((BEGIN, half("B", 1_023_456, 8, at=3600)), "one reading of the begin"),
        ((BEGIN, half("C", 1_023_456, 8, at=3600)), "one reading of the end"),
        ((BEGIN, half("E", 976_544, 8, at=3600)), "a register that never falls"),
        ((BEGIN, half("E", 1_023_459, 8, at=3600)), "23456 Wh, as claimed"),
        ((BEGIN, half("E", 1_023_454, 8, at=3600)), "23456 Wh, as claimed"),
        ((half("B", 1_000_000, 7, at=-61), END), "within the transaction, to 60 s"),
        (
            (BEGIN, half("E", 1_023_456, 8, at=3661)),
            "within the transaction, to 60 s",
        ),
        (
            (half("B", 1_000_000, 7, at=20), half("E", 1_023_456, 8, at=10)),
            "readings in order of time",
        ),
        ((BEGIN, replace(END, serial="ANOTHER")), "the same meter"),
        ((BEGIN, replace(END, page="F8")), "a record of a transaction"),
    ],
)
def test_s111_records_that_are_signed_but_do_not_fit(
    texts: tuple[Text, Text], expected: str
) -> None:
    found = pair(*texts)

    assert found.outcome is Outcome.HELD
    assert found.hits[0].expected.startswith(expected)
    assert {hit.rule for hit in found.hits} == {"S-111"}


@pytest.mark.parametrize("text", [BEGIN, END])
def test_s111_a_half_of_a_transaction_does_not_hold(text: Text) -> None:
    found = judged(value(METER.sign(text.payload())))

    assert found.hits[0].expected.startswith("one reading of the")


def test_s111_another_register_or_a_bad_reading_does_not_hold() -> None:
    whole = Text(page="T7").add(START, "B", "0")
    whole.add(START + seconds(3600), "E", "23.456", RI='"1-0:1.8.1"', ST='"M"')

    found = judged(value(METER.sign(whole.payload())))

    assert [hit.expected for hit in found.hits] == [
        "a reading that the meter calls good",
        "one register",
    ]


def test_s111_energy_given_back_is_no_energy_drawn() -> None:
    whole = Text(page="T7").add(START, "B", "0", RI='"1-0:2.8.0"')
    whole.add(START + seconds(3600), "E", "23.456")

    found = judged(value(METER.sign(whole.payload())))

    assert found.hits[0].expected.startswith("one reading of the begin")


def test_s111_two_meters_keys_do_not_make_one_transaction() -> None:
    found = judged(
        value(METER.sign(BEGIN.payload()), key=METER.public_key),
        value(OTHER.sign(END.payload()), key=OTHER.public_key),
        registered=None,
    )

    assert ("one key", "several") in told(found)


@pytest.mark.parametrize("required", [False, True])
def test_s111_what_cannot_be_checked_is_held_and_never_passes(
    *, required: bool
) -> None:
    strange = _SIGNED.replace('|{"SD"', '|{"SA":"ECDSA-secp192k1-SHA256","SD"')
    for found in (
        judged(value(strange), required=required),
        judged(value(_SIGNED), registered=None, required=required),
    ):
        assert found.outcome is Outcome.HELD
        assert met(found) == [("S-111", 661, f"{_PATH}/signedMeterValue[1]")]
        assert found.evidence[0].standings == [Standing.UNCHECKED]


def test_s111_another_format_hides_nothing_that_does_not_fit() -> None:
    noise = value("SML 1b1b", kind=SignedFormat.OTHER)
    short = value(METER.sign(half("B", 0, 7).payload()))

    found = judged(noise, short)

    assert [hit.rule for hit in found.hits] == ["S-111", "S-305"]
    assert found.outcome is Outcome.HELD


def test_s111_nothing_of_the_person_is_repeated() -> None:
    text = Text(person="04C0FFEE").add(START, "B", "1", ST='"M"')

    found = judged(value(METER.sign(text.payload())), value("OCMF|04C0FFEE"))

    assert found.hits
    assert "04C0FFEE" not in repr(found)


def test_s111_signed_values_of_one_record_are_bounded() -> None:
    part = make_transaction(energy_wh=0)
    many = judged(*[value("x")] * (SIGNED_VALUES_MAX + 1), transaction=part)
    long = judged(*[value("x" * 8_000)] * 6, transaction=part)

    assert [
        hit.expected for hit in (*many.hits, *long.hits) if hit.rule == "S-111"
    ] == [
        f"at most {SIGNED_VALUES_MAX} signed values in one record",
        f"at most {SIGNED_CHARACTERS_MAX} characters of signed values",
    ]
    assert {many.outcome, long.outcome} == {Outcome.REFUSED}


# Remarks


def test_s305_a_key_of_the_record_alone_proves_only_that_nothing_changed() -> None:
    found = judged(value(_SIGNED, key=METER.public_key), registered=None)

    assert met(found) == [("S-305", 171, f"{_PATH}/signedMeterValue")]
    assert found.outcome is Outcome.ACCEPTED
    assert found.evidence[0].standings == [Standing.INTACT]


def test_s305_another_key_in_the_record_is_noticed() -> None:
    same = judged(value(_SIGNED, key=METER.public_base64))
    other = judged(value(_SIGNED, key=OTHER.public_key))

    assert same.hits == ()
    assert met(other) == [("S-305", 172, f"{_PATH}/signedMeterValue")]


def test_s305_a_clock_that_was_not_set_is_noticed() -> None:
    text = Text(page="T7")
    text.add(START, "B", "0", TM='"2001-01-01T00:00:00,000+0000 U"')
    text.add(START, "E", "23.456", TM='"2001-01-01T01:00:00,000+0000 U"')

    found = judged(value(METER.sign(text.payload())))

    assert met(found) == [("S-305", 173, f"{_PATH}/signedMeterValue")]


def test_s305_another_format_is_kept_and_held_where_signatures_are_required() -> None:
    other = value("SML 1b1b", kind=SignedFormat.OTHER)

    lax, strict = judged(other), judged(other, required=True)

    assert met(lax) == [("S-305", 174, f"{_PATH}/signedMeterValue[1]")]
    assert lax.outcome is Outcome.ACCEPTED
    assert met(strict) == [("S-111", 661, f"{_PATH}/signedMeterValue[1]")]


def test_s305_meter_values_that_are_missing() -> None:
    bare = make_transaction(is_metered=False)
    found = judged(transaction=bare)
    zero = judged(transaction=replace(bare, energy_wh=0))
    signed = judged(value(_SIGNED), transaction=bare)
    unsigned = judged(required=True)

    assert met(found) == [("S-305", codes.SDR_METER_MISSING.number, _PATH)]
    assert "S-305" not in {hit.rule for hit in zero.hits}
    assert signed.hits == ()
    assert met(unsigned) == [("S-305", 170, _PATH)]
    assert unsigned.outcome is Outcome.ACCEPTED


# Identity


def test_readings_and_signed_values_are_part_of_the_content() -> None:
    plain = make_transaction()
    reading = MeterReading(START, 0)
    variants = [
        plain,
        replace(plain, readings=(reading, reading)),
        replace(plain, readings=(reading, reading._replace(register_wh=1))),
        replace(plain, signed_values=(value("a"),)),
        replace(plain, signed_values=(value("b"),)),
        replace(plain, signed_values=(value("a", key="30"),)),
        replace(plain, signed_values=(value("a", encoding=Encoding.HEX),)),
        replace(plain, readings=(reading._replace(at=START + timedelta(hours=1)),) * 2),
    ]

    digests = {
        content_digest(make_record(variant), subject_id=None) for variant in variants
    }

    assert len(digests) == len(variants)
