"""Hostile values: what looks like an id, a number or a time, and is none."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.soap.house import House, authorize, check_hostile, message

pytestmark = pytest.mark.clause("7.1-protect")

LOOK_ALIKES = {
    "Cyrillic A": "\u0410",
    "fullwidth digit": "\uff11",
    "zero width space": "0\u200b4",
    "zero width joiner": "0\u200d4",
    "right-to-left mark": "\u200f04",
    "composed": "\u00e9",
    "decomposed": "e\u0301",
    "non-breaking space": "04\u00a0A2",
    "byte order mark": "\ufeff04",
    "Arabic digits": "\u0660\u0664",
    "space": "04 A2",
    "line break": "04\nA2",
    "tab": "04\tA2",
    "leading space": " 04A2",
    "trailing space": "04A2 ",
}


@pytest.mark.parametrize("value", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_refuses_look_alike_in_credential(house: House, value: str) -> None:
    """H47: an id is never matched to another one."""
    answer = house.post("authorization", authorize(value=value))

    assert answer.code == "CH.SCHEMA"
    assert answer.texts("path") == ["/authorizeStartRequest/credential/value"]
    check_hostile(house, answer)


def replaced(service: str, operation: str, element: str, value: str) -> bytes:
    """Return the valid example with the text of one element replaced everywhere."""
    data = message(service, operation).decode()
    pattern = rf"(<(?:\w+:)?{element}>)[^<]*(</)"
    changed, count = re.subn(pattern, rf"\g<1>{value}\g<2>", data)
    assert count
    return changed.encode()


NUMBERS = {
    "not a number": "NaN",
    "infinite": "INF",
    "exponent": "1e3",
    "large exponent": "1e400",
    "100,000 digits": "9" * 100_000,
    "seven decimals": "0.0000001",
    "nineteen digits": "1234567890123456789",
    "comma": "1,5",
    "underscore": "1_000",
    "hexadecimal": "0x10",
    "fullwidth": "\uff11",
    "Arabic": "\u0661",
    "two signs": "--1",
    "spaces inside": "1 0",
    "empty": "",
}


@pytest.mark.parametrize("value", NUMBERS.values(), ids=NUMBERS)
def test_refuses_odd_amount(house: House, value: str) -> None:
    """H48: an amount is a decimal and nothing else."""
    answer = house.post("tariff", replaced("tariff", "PutTariffs", "price", value))

    assert answer.code == "CH.SCHEMA"
    assert all("price" in path for path in answer.texts("path"))
    check_hostile(house, answer)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0.1", "0.1"),
        ("-0", "0"),
        ("+1.50", "1.50"),
        (".5", "0.5"),
        ("123456789012.123456", "123456789012.123456"),
        (" 7 ", "7"),
    ],
)
def test_keeps_amount_exact(house: House, text: str, amount: str) -> None:
    """H48: no binary fraction ever touches money."""
    data = replaced("tariff", "PutTariffs", "price", text)

    assert house.post("tariff", data).status == 200

    price = house.calls[-1].body.tariff[0].component[0].price
    assert isinstance(price, Decimal)
    assert price == Decimal(amount)
    tenth = Decimal("0.1")
    assert tenth + tenth + tenth == Decimal("0.3")


@pytest.mark.parametrize(
    "value",
    ["1.0", "1e3", "2147483648", "99999999999999999999", "0", "1001", "\u0661", "1_0"],
)
def test_refuses_odd_count(house: House, value: str) -> None:
    answer = house.post("sdr", replaced("sdr", "GetSdrs", "limit", value))

    assert answer.code == "CH.SCHEMA"
    check_hostile(house, answer)


TIMES = {
    "no zone": "2026-03-14T18:02:12",
    "leap second": "2026-12-31T23:59:60Z",
    "hour 24": "2026-03-14T24:00:00Z",
    "year 0000": "0000-01-01T00:00:00Z",
    "year 99999": "99999-01-01T00:00:00Z",
    "year 1999": "1999-12-31T23:59:59Z",
    "2100 in UTC": "2099-12-31T23:59:59-14:00",
    "1999 in UTC": "2000-01-01T00:00:00+14:00",
    "negative year": "-2026-03-14T18:02:12Z",
    "February 30": "2026-02-30T00:00:00Z",
    "month 13": "2026-13-01T00:00:00Z",
    "seven decimals": "2026-03-14T18:02:12.1234567Z",
    "offset 15 hours": "2026-03-14T18:02:12+15:00",
    "offset of seconds": "2026-03-14T18:02:12+01:00:30",
    "lower case": "2026-03-14t18:02:12z",
    "basic format": "20260314T180212Z",
    "date only": "2026-03-14Z",
    "week date": "2026-W11-6T18:02:12Z",
    "empty": "",
}


@pytest.mark.parametrize("value", TIMES.values(), ids=TIMES)
def test_refuses_odd_time(house: House, value: str) -> None:
    """H49: whoever sends no zone has not said when."""
    answer = house.post("authorization", authorize(createdAt=value))

    assert answer.code == "CH.SCHEMA"
    assert answer.texts("path") == ["/Header/exchangeHeader/createdAt"]
    check_hostile(house, answer)


@pytest.mark.parametrize(
    ("text", "hours", "microsecond"),
    [
        ("2026-03-29T02:30:00+01:00", 1, 0),
        ("2026-03-29T02:30:00Z", 0, 0),
        ("2026-03-29T02:30:00.5-03:30", -3.5, 500_000),
        ("2026-03-29T02:30:00.000001+14:00", 14, 1),
        (" 2026-03-29T02:30:00Z ", 0, 0),
    ],
)
def test_keeps_time_and_offset(
    house: House, text: str, hours: float, microsecond: int
) -> None:
    """H49: a time in the gap of summer time is a moment all the same."""
    assert house.post("authorization", authorize(createdAt=text)).status == 200

    created_at = house.calls[-1].header.created_at
    assert created_at.utcoffset() == timedelta(hours=hours)
    assert (created_at.hour, created_at.minute) == (2, 30)
    assert created_at.microsecond == microsecond


TRUTHS = {"true": True, "1": True, "false": False, "0": False, " true ": True}


@pytest.mark.parametrize("value", ["TRUE", "yes", "", "2", "wahr"])
def test_refuses_odd_truth_value(house: House, value: str) -> None:
    data = replaced("evse", "PutEvses", "open24Hours", value)

    answer = house.post("evse", data)

    assert answer.code == "CH.SCHEMA"
    check_hostile(house, answer)


@pytest.mark.parametrize("text", TRUTHS)
def test_reads_truth_value(house: House, text: str) -> None:
    assert (
        house.post("evse", replaced("evse", "PutEvses", "open24Hours", text)).status
        == 200
    )

    found = {one.open24_hours for one in house.calls[-1].body.evse} - {None}
    assert found == {TRUTHS[text]}


INJECTIONS = [
    "'; DROP TABLE x; --",
    "*)(uid=*",
    "=cmd|' /C calc'!A0",
    "a\r\nb",
    "${jndi:x}",
]


@pytest.mark.parametrize("value", INJECTIONS)
def test_takes_injection_as_data_or_refuses_it(house: House, value: str) -> None:
    """H09: such a text has no meaning here."""
    escaped = value.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;")

    answer = house.post("authorization", authorize(evseId=escaped))

    if answer.status == 200:
        assert house.calls[-1].body.evse_id == value
    else:
        assert answer.code == "CH.SCHEMA"
        assert value.encode() not in answer.body
    check_hostile(house, answer)
