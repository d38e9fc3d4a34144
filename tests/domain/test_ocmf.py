"""The open charge metering format is read strictly, and its signatures are checked."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain import meter_keys, ocmf
from clearinghouse.domain.meter_keys import KeyTextError, Proof
from clearinghouse.domain.ocmf import ClockState, Moment, OcmfError
from tests.ocmf import CURVES, Meter, Text, session_text

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
METER = Meter()

# A record of a real charging point, as the makers of the transparency software print it
# to explain their container.
REAL = (
    'OCMF|{"FV":"1.0","GI":"KEBA_KCP30","GS":"17619300","GV":"2.8.5","PG":"T32",'
    '"IS":false,"IL":"NONE","IF":["RFID_NONE","OCPP_NONE","ISO15118_NONE","PLMN_NONE"],'
    '"IT":"NONE","ID":"","RD":[{"TM":"2019-08-13T10:03:15,000+0000 I","TX":"B","EF":"",'
    '"ST":"G","RV":0.2596,"RI":"1-b:1.8.0","RU":"kWh"},'
    '{"TM":"2019-08-13T10:03:36,000+0000 R","TX":"E","EF":"","ST":"G","RV":0.2597,'
    '"RI":"1-b:1.8.0","RU":"kWh"}]}|{"SD":"304502200E2F107C987A300AC1695CA89EA149A8CDFA'
    "16188AF0A33EE64B67964AA943F9022100889A72B6D65364BEA8562E7F6A0253157ACFF84FE4929A93"
    'B5964D23C4265699"}'
)
REAL_KEY = (
    "3059301306072A8648CE3D020106082A8648CE3D030107034200043AEEB45C392357820A58FDFB0857"
    "BD77ADA31585C61C430531DFA53B440AFBFDD95AC887C658EA55260F808F55CA948DF235C2108A0D6D"
    "C7D4AB1A5E1A7955BE"
)


def signed(payload: str | None = None, meter: Meter = METER) -> str:
    return meter.sign(payload or session_text(START).payload())


def proof(text: str, key: str = METER.public_key) -> Proof:
    return meter_keys.verify(ocmf.parse(text), key).proof


def refuses(text: str) -> str:
    with pytest.raises(OcmfError) as caught:
        ocmf.parse(text)
    return caught.value.expected


def test_a_real_meters_record_verifies_with_its_printed_key() -> None:
    record = ocmf.parse(REAL)

    assert meter_keys.verify(record, REAL_KEY).proof is Proof.VALID
    assert (record.meter, record.page) == ("GS 17619300", 32)
    assert [one.moment for one in record.readings] == [Moment.BEGIN, Moment.END]
    assert [one.register_wh for one in record.readings] == [
        Decimal("259.6"),
        Decimal("259.7"),
    ]
    assert record.readings[1].clock is ClockState.RELATIVE


def test_a_record_says_what_its_readings_are() -> None:
    record = ocmf.parse(signed())

    begin, end = record.readings
    assert (begin.at, begin.register_wh) == (START, Decimal(1_000_000))
    assert (end.at, end.register_wh) == (START + timedelta(hours=1), Decimal(1_023_456))
    assert begin.is_good
    assert begin.has_time
    assert record.meter == "MS METER-0042"
    assert not record.has_foreign


def test_the_person_is_nowhere_in_what_was_read() -> None:
    record = ocmf.parse(signed())

    assert b"04A1B2C3D4E5F6" in record.signed
    assert "04A1B2C3D4E5F6" not in repr(record)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_each_curve_verifies(curve: str, encoding: str) -> None:
    meter = Meter(curve)
    text = meter.sign(session_text(START).payload(), encoding=encoding)

    assert proof(text, meter.public_key) is Proof.VALID
    assert proof(text, meter.public_base64) is Proof.VALID
    assert proof(text, meter.point) is Proof.VALID
    assert proof(text, meter.public_key.lower()) is Proof.VALID


@pytest.mark.parametrize("curve", CURVES)
def test_another_meters_key_proves_nothing(curve: str) -> None:
    text = signed(meter=Meter(curve))

    assert proof(text, Meter(curve, number=2).public_key) is Proof.INVALID
    assert proof(text, Meter(curve, number=2).point) is Proof.INVALID


def test_a_key_on_another_curve_proves_nothing() -> None:
    for curve in set(CURVES) - {"secp256r1"}:
        assert proof(signed(), Meter(curve).public_key) is Proof.INVALID


def test_a_curve_that_the_library_lacks_is_unsupported() -> None:
    text = signed().replace('|{"SD"', '|{"SA":"ECDSA-secp192k1-SHA256","SD"')
    assert proof(text) is Proof.UNSUPPORTED


@pytest.mark.parametrize(
    "section",
    [
        '"SA":"ECDSA-secp256r1-SHA512",',
        '"SA":"Ed25519",',
        '"SA":"",',
        '"SM":"application/x-other",',
    ],
)
def test_other_signatures_are_unsupported_and_not_valid(section: str) -> None:
    text = signed().replace('|{"SD"', f'|{{{section}"SD"')

    assert proof(text) is Proof.UNSUPPORTED


def test_each_changed_byte_of_the_payload_is_noticed() -> None:
    text = signed()
    start, end = len("OCMF|"), text.index('|{"SD"')
    survived = []
    for place in range(start, end):
        sign = text[place]
        other = "1" if sign != "1" else "2"
        try:
            record = ocmf.parse(text[:place] + other + text[place + 1 :])
        except OcmfError:
            continue
        if meter_keys.verify(record, METER.public_key).proof is not Proof.INVALID:
            survived.append(place)

    assert not survived


def test_white_space_that_json_would_not_mind_is_a_changed_payload() -> None:
    text = signed()

    assert proof(text.replace('"PG":', '"PG": ')) is Proof.INVALID
    assert proof(text.replace('"S\u00e4ule 7"', '"S\\u00e4ule 7"')) is Proof.INVALID


def test_each_changed_byte_of_the_signature_is_noticed() -> None:
    text = signed()
    start = text.index('"SD":"') + len('"SD":"')
    for place in range(start, len(text) - 2):
        other = "0" if text[place] != "0" else "1"
        assert proof(text[:place] + other + text[place + 1 :]) is Proof.INVALID


def test_a_bar_inside_a_text_ends_nothing() -> None:
    text = Text(person="a|b|c").add(START, "B", "1.0")

    assert proof(signed(text.payload())) is Proof.VALID


def test_readings_carry_on_what_they_leave_out() -> None:
    text = Text().add(START, "B", "1.0")
    text.add(START + timedelta(hours=1), "E", "2.5", RI=None, RU=None, EF=None, ST=None)

    end = ocmf.parse(signed(text.payload())).readings[1]

    assert (end.register, end.register_wh, end.is_good) == (
        "1-b:1.8.0",
        Decimal(2500),
        True,
    )


@pytest.mark.parametrize(
    ("override", "is_good", "has_time"),
    [
        ({"ST": '"M"'}, False, True),
        ({"EF": '"E"'}, False, True),
        ({"EF": '"t"'}, True, False),
        ({"TM": '"2026-11-20T09:00:00,000+0000 U"'}, True, False),
        ({"TM": '"2026-11-20T10:00:00,000+01:00 I"'}, True, True),
        ({"TM": '"2026-11-20T09:00:00Z S"'}, True, True),
    ],
)
def test_the_meter_may_say_that_it_is_not_sure(
    override: dict[str, str], *, is_good: bool, has_time: bool
) -> None:
    text = Text().add(START, "B", "1.0", **override)

    (reading,) = ocmf.parse(signed(text.payload())).readings

    assert (reading.is_good, reading.has_time, reading.at) == (is_good, has_time, START)


@pytest.mark.parametrize(
    "register",
    ["1-b:1.8.0", "1-0:1.8.0*255", "01-00:B2.08.00*FF", "1-b:1.8.e", "1.8.0", None],
)
def test_registers_of_import_count(register: str | None) -> None:
    name = None if register is None else f'"{register}"'
    text = Text().add(START, "B", "1.0", RI=name)

    assert len(ocmf.parse(signed(text.payload())).readings) == 1


@pytest.mark.parametrize(
    "override",
    [
        {"RI": '"1-b:2.8.0"'},
        {"RI": '"01-00:C2.08.00*FF"'},
        {"RU": '"mOhm"'},
        {"RI": '"1-b:1.8.0; DROP"'},
    ],
)
def test_other_registers_are_foreign(override: dict[str, str]) -> None:
    text = Text().add(START, "B", "1.0", **override)

    record = ocmf.parse(signed(text.payload()))

    assert (record.readings, record.has_foreign) == ((), True)


_PAYLOAD = session_text(START).payload()


@pytest.mark.parametrize(
    "payload",
    [
        _PAYLOAD.replace('"PG":"T12"', '"PG":"T12","PG":"T12"'),
        _PAYLOAD.replace('"RV":', '"RV":1,"RV":'),
        _PAYLOAD.replace('"PG":"T12"', '"PG":"T12","U":{"a":1,"a":2}'),
    ],
)
def test_no_name_may_come_twice(payload: str) -> None:
    assert refuses(signed(payload)) == "each name once"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"PG":"T12"', '"PG":"X12"'),
        ('"PG":"T12"', '"PG":12'),
        ('"PG":"T12",', ""),
        ('"MS":"METER-0042"', '"MS":42'),
        ('"MV":"Maker","MS":"METER-0042"', '"GS":"","MS":""'),
        ('"RV":1000.000', '"RV":"1000.000"'),
        ('"RV":1000.000', '"RV":-1'),
        ('"RV":1000.000', '"RV":NaN'),
        ('"RV":1000.000', '"RV":Infinity'),
        ('"RV":1000.000', '"RV":1e99'),
        ('"RV":1000.000', '"RV":1e999999999'),
        ('"RV":1000.000', f'"RV":{"1" * 5_000}'),
        ('"RV":1000.000', '"RV":true'),
        ('"TX":"B"', '"TX":"Q"'),
        ('"TX":"B"', '"TX":null'),
        ("2026-11-20T09:00:00,000+0000 S", "2026-11-20T09:00:00,000+0000"),
        ("2026-11-20T09:00:00,000+0000 S", "2026-02-30T09:00:00,000+0000 S"),
        ("2026-11-20T09:00:00,000+0000 S", "0001-01-01T00:00:00,000+0000 S"),
        ('"ST":"G"', '"ST":7'),
        ('"RD":[{', '"RD":[7,{'),
        ('"RD":[', '"RD":[],"rd":['),
        ("}]}", "}]"),
        ('"FV":"1.0"', '"FV":\x01'),
    ],
)
def test_what_is_not_the_format_is_refused(old: str, new: str) -> None:
    payload = _PAYLOAD.replace(old, new)

    assert payload != _PAYLOAD
    assert refuses(signed(payload))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OCMF",
        "OCMF|",
        "OCMF||",
        "OCMF|{}|{}",
        "OCMF|[]|{}",
        "OCMF|1|2",
        "ocmf" + signed()[4:],
        " " + signed(),
        signed() + "\n",
        signed() + "|",
        signed() + signed(),
        signed().rpartition("|")[0],
        signed().replace('"SD":"', '"SD":"zz'),
        signed().replace('"SD":"', '"SD":"0'),
        signed().replace('|{"SD"', '|{"SE":"base32","SD"'),
        signed().replace('|{"SD"', '|{"SE":1,"SD"'),
        signed().replace('|{"SD"', '|{"SD":"00","SD"'),
        signed().replace('"SD"', '"XX"'),
        signed().replace('"SD":"', f'"SD":"{"00" * 300}'),
        "OCMF|\ud800" + signed()[5:],
    ],
)
def test_what_stands_around_the_payload_is_read_strictly(text: str) -> None:
    assert refuses(text)


def test_a_huge_record_is_refused_unread() -> None:
    text = Text(person="x" * ocmf.TEXT_MAX).add(START, "B", "1.0")

    assert refuses(signed(text.payload())) == f"at most {ocmf.TEXT_MAX} characters"


def test_many_readings_are_refused() -> None:
    entries = ",".join(["{}"] * (ocmf.READINGS_MAX + 1))
    payload = f'{{"PG":"T1","MS":"M","RD":[{entries}]}}'

    assert refuses(signed(payload)) == f"1 to {ocmf.READINGS_MAX} readings as RD"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_deep_record_is_refused_without_recursion(opening: str) -> None:
    deep = opening * 1_000
    expected = f"at most {ocmf.DEPTH_MAX} levels"

    assert refuses(f"OCMF|{deep}") == expected
    assert refuses(f'OCMF|{{"a":"]]]]}}}}","b":{deep}') == expected


def test_quotes_without_end_cost_no_more_than_their_length() -> None:
    # Would take seconds, were each quote a new beginning.
    assert refuses('OCMF|{"a' + '\\"' * 4_000)


def test_the_answer_repeats_nothing_of_what_was_sent() -> None:
    with pytest.raises(OcmfError) as caught:
        ocmf.parse(signed(_PAYLOAD.replace('"PG":"T12"', '"PG":"SECRET"')))

    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "zz",
        "3059",
        "04" * 33,
        "04" + "00" * 64,
        METER.public_key + "00",
        METER.public_key[:-2],
        "02" + METER.point[2:66],
        METER.point + "00",
        base64.b64encode(b"no key").decode(),
        "A" * 2_000,
        f" {METER.public_key}",
    ],
)
def test_what_is_no_key_is_told_and_verifies_nothing(key: str) -> None:
    with pytest.raises(KeyTextError):
        meter_keys.check_key(key)
    assert proof(signed(), key) is not Proof.VALID


@pytest.mark.parametrize("curve", CURVES)
def test_a_key_is_known_in_each_spelling(curve: str) -> None:
    meter = Meter(curve)
    for spelling in (meter.public_key, meter.public_base64, meter.point):
        meter_keys.check_key(spelling)

    assert meter_keys.key_bytes(meter.public_key) == meter_keys.key_bytes(
        meter.public_base64
    )


@given(st.text(max_size=400))
def test_any_text_is_a_record_or_an_error_of_ours(text: str) -> None:
    for candidate in (text, f"OCMF|{text}", f"OCMF|{text}|{text}"):
        try:
            ocmf.parse(candidate)
        except OcmfError:
            continue


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["T1", "B", "kWh", "G", "1-b:1.8.0", "hex", "00"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["PG", "MS", "RD", "TM", "TX", "RV", "RU", "ST", "SD"]),
            inner,
            max_size=9,
        )
    ),
    max_leaves=20,
)


@given(payload=_JSON, signature=_JSON)
def test_any_json_is_a_record_or_an_error_of_ours(
    payload: object, signature: object
) -> None:
    text = f"OCMF|{json.dumps(payload)}|{json.dumps(signature)}"
    try:
        record = ocmf.parse(text)
    except OcmfError:
        return
    assert meter_keys.verify(record, METER.public_key).proof is not Proof.VALID


_SIGNED = signed()
_SIGNED_PAYLOAD = _SIGNED[: _SIGNED.index('|{"SD"')]


@given(
    start=st.integers(0, len(_SIGNED_PAYLOAD)),
    length=st.integers(0, 9),
    instead=st.text(max_size=9),
)
def test_any_damage_is_a_record_of_no_proof_or_an_error_of_ours(
    start: int, length: int, instead: str
) -> None:
    damaged = _SIGNED[:start] + instead + _SIGNED[start + length :]
    try:
        found = proof(damaged)
    except OcmfError:
        return
    # Another spelling of the signature section alone signs the same payload.
    assert found is not Proof.VALID or damaged.startswith(f"{_SIGNED_PAYLOAD}|")
