"""The dataclasses are the contract's types, and survive both ways over the wire."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.model import ComplexType
from clearinghouse.endpoint.codec import (
    element_name,
    from_mapping,
    namespace,
    plan_of,
    read_element,
    text_of,
    to_mapping,
    write_element,
)
from clearinghouse.endpoint.messages.common import Credential
from clearinghouse.endpoint.messages.sdr import (
    ChargingSession,
    ChargingTransaction,
    ServiceSession,
)

SERVICES = (
    "common",
    "access",
    "directory",
    "credential",
    "authorization",
    "session",
    "evse",
    "tariff",
    "sdr",
    "settlement",
    "csp-endpoint",
    "cso-endpoint",
)


def _dataclasses(service: str) -> Iterator[type]:
    module = importlib.import_module(
        f"clearinghouse.endpoint.messages.{service.replace('-', '_')}"
    )
    for value in vars(module).values():
        if dataclasses.is_dataclass(value) and value.__module__ == module.__name__:
            yield value  # type: ignore[misc]  # a class: modules hold no instances


def _schema_type(contract: Contract, service: str, name: str) -> ComplexType:
    found = contract.model.types[f"{{{namespace(service)}}}{name}Type"]
    assert isinstance(found, ComplexType)
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_dataclasses_have_the_elements_of_the_schema_in_its_order(
    contract: Contract, service: str
) -> None:
    for record in _dataclasses(service):
        kind = _schema_type(contract, service, record.__name__)
        ours = [(plan.element, plan.repeated) for plan in plan_of(record)]
        theirs = [
            (element.name.rpartition("}")[2], element.max_occurs != 1)
            for element in kind.elements()
        ]
        assert ours == theirs, record


@pytest.mark.parametrize("service", SERVICES)
def test_required_fields_are_those_of_the_schema(
    contract: Contract, service: str
) -> None:
    for record in _dataclasses(service):
        kind = _schema_type(contract, service, record.__name__)
        ours = {
            plan.element
            for plan in plan_of(record)
            if plan.required and not plan.repeated
        }
        theirs = {
            element.name.rpartition("}")[2]
            for element in kind.elements()
            if element.min_occurs and element.max_occurs == 1
        }
        assert ours == theirs, record


INSTANTS = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2099, 12, 31),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: timezone(timedelta(minutes=minutes))
    ),
)
WORDS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20
)
CHARGING = st.builds(
    ChargingSession,
    charging_session_id=WORDS,
    started_at=INSTANTS,
    ended_at=INSTANTS,
    charging_transaction=st.lists(
        st.builds(
            ChargingTransaction,
            charging_transaction_id=WORDS,
            started_at=INSTANTS,
            ended_at=INSTANTS,
            energy_wh=st.integers(-(10**9), 10**9),
            meter_start_wh=st.none() | st.integers(0, 10**9),
            meter_stop_wh=st.none(),
        ),
        max_size=3,
    ).map(tuple),
)
SESSIONS = st.builds(
    ServiceSession,
    session_id=st.none() | st.uuids(),
    partner_session_id=st.none() | WORDS,
    csp_id=WORDS,
    cso_id=st.none(),
    evse_id=WORDS,
    credential=st.none()
    | st.builds(Credential, kind=st.just("RFID"), value=WORDS, secret=st.none()),
    contract_id=st.none(),
    started_at=INSTANTS,
    ended_at=INSTANTS,
    charging_session=st.lists(CHARGING, max_size=3).map(tuple),
    parking_seconds=st.none() | st.integers(0, 10**6),
    idle_seconds=st.none(),
)


@given(SESSIONS)
def test_reads_from_xml_what_it_wrote(session: ServiceSession) -> None:
    element = write_element(session, f"{{{namespace('sdr')}}}serviceSession")

    assert read_element(ServiceSession, element) == session


@given(SESSIONS)
def test_reads_from_a_mapping_what_it_made(session: ServiceSession) -> None:
    assert from_mapping(ServiceSession, to_mapping(session)) == session


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (Decimal("1E+2"), "100"),
        (Decimal("0.0000001"), "0.0000001"),
        (datetime(2026, 3, 14, 18, tzinfo=UTC), "2026-03-14T18:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"\x00\xff", "AP8="),
        (7, "7"),
    ],
)
def test_writes_values_as_the_schema_spells_them(value: Any, text: str) -> None:  # noqa: ANN401
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("attribute", "element"),
    [
        ("evse_id", "evseId"),
        ("open24_hours", "open24Hours"),
        ("from_", "from"),
        ("power_w", "powerW"),
        ("sdr", "sdr"),
    ],
)
def test_names_elements_after_fields(attribute: str, element: str) -> None:
    assert element_name(attribute) == element
