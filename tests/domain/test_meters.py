"""Readings split a transaction; signed values stay what they are."""

from __future__ import annotations

import base64
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.meters import (
    Encoding,
    EncodingError,
    MeterReading,
    SignedFormat,
    SignedMeterValue,
    digest_of,
    split,
)
from clearinghouse.domain.usage import Interval
from tests.domain.builders import START, seconds

HOUR = Interval(START, 30_000, 3600)
END = START + seconds(3600)


def readings(*pairs: tuple[int, int]) -> list[MeterReading]:
    """Return readings by seconds since the start and register."""
    return [MeterReading(START + seconds(at), wh) for at, wh in pairs]


def test_readings_split_energy_and_time_at_their_instants() -> None:
    found = split(HOUR, END, readings((0, 500), (1500, 12_900), (3600, 30_500)))

    assert found == [
        Interval(START, 12_400, 1500, 30_000),
        Interval(START + seconds(1500), 17_600, 2100, 30_000),
    ]


def test_what_lies_outside_the_first_and_last_reading_is_not_lost() -> None:
    found = split(HOUR, END, readings((60, 0), (1500, 10_000), (3000, 30_000)))

    assert found == [
        Interval(START, 10_000, 1500, 30_000),
        Interval(START + seconds(1500), 20_000, 2100, 30_000),
    ]


@pytest.mark.parametrize(
    "found",
    [
        [],
        readings((0, 0)),
        readings((0, 0), (3600, 30_000)),
        readings((0, 0), (1000, 9_000), (3600, 29_998)),
        readings((0, 0), (1000, 30_001), (3600, 30_000)),
        readings((1000, 0), (0, 9_000), (3600, 30_000)),
        readings((-1, 0), (1000, 9_000), (3600, 30_000)),
        readings((0, 0), (1000, 9_000), (3601, 30_000)),
    ],
)
def test_readings_that_do_not_add_up_split_nothing(found: list[MeterReading]) -> None:
    assert split(HOUR, END, found) == [HOUR]


@pytest.mark.parametrize("last_wh", [29_999, 30_000, 30_001])
def test_a_rounded_wh_goes_to_an_interval_that_used_some(last_wh: int) -> None:
    found = split(
        HOUR, END, readings((0, 0), (900, last_wh), (1800, last_wh), (3600, last_wh))
    )

    assert [one.energy_wh for one in found] == [30_000, 0, 0]


@given(
    marks=st.lists(st.integers(0, 3_600_000), min_size=1, max_size=9),
    used=st.lists(st.integers(0, 5_000), min_size=10, max_size=10),
    slack=st.integers(-1, 1),
)
def test_the_intervals_hold_what_the_transaction_holds(
    marks: list[int], used: list[int], slack: int
) -> None:
    at = [0, *sorted(marks), 3_600_000]
    register = 7
    found = []
    for place, mark in enumerate(at):
        register += used[place - 1] if place else 0
        instant = START + timedelta(milliseconds=mark)
        found.append(MeterReading(instant, register))
    energy_wh = max(0, register - 7 + slack)
    whole = Interval(START, energy_wh, 3600)

    parts = split(whole, END, found)

    assert sum(one.energy_wh for one in parts) == energy_wh
    assert sum(one.seconds for one in parts) == 3600
    assert all(one.energy_wh >= 0 and one.seconds >= 0 for one in parts)
    assert parts[0].started_at == START


def value(data: str, encoding: Encoding) -> SignedMeterValue:
    return SignedMeterValue(format=SignedFormat.OCMF, encoding=encoding, data=data)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("OCMF|ä", Encoding.PLAIN),
        (base64.b64encode("OCMF|ä".encode()).decode(), Encoding.BASE64),
        ("OCMF|ä".encode().hex(), Encoding.HEX),
        ("OCMF|ä".encode().hex().upper(), Encoding.HEX),
    ],
)
def test_a_value_is_read_out_of_its_encoding(data: str, encoding: Encoding) -> None:
    assert value(data, encoding).text() == "OCMF|ä"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("T0NNRg", Encoding.BASE64),
        ("T0NN Rg==", Encoding.BASE64),
        ("=", Encoding.BASE64),
        ("4F4", Encoding.HEX),
        ("4F 43", Encoding.HEX),
        ("", Encoding.HEX),
        ("fffe", Encoding.HEX),
        ("//4=", Encoding.BASE64),
        ("ED A0 80", Encoding.HEX),
        ("eda080", Encoding.HEX),
    ],
)
def test_what_is_not_in_its_encoding_is_told(data: str, encoding: Encoding) -> None:
    with pytest.raises(EncodingError):
        value(data, encoding).text()


def test_the_digest_is_over_what_was_sent_and_the_text_in_no_repr() -> None:
    sent = value("4f434d46", Encoding.HEX)

    assert digest_of(sent.data) == sha256(b"4f434d46").digest()
    assert "4f434d46" not in repr(sent)
