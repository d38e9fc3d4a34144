"""Tariffs as partners exchange them, message by message."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse.domain.tariffs import Component, ComponentType
from clearinghouse.soap.limits import ORDINARY_BYTES_MAX
from clearinghouse.storage import tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import NOW, make_agreement, make_csp, make_tariff
from tests.fixtures.engine import post

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from tests.fixtures.engine import Answer, Speaker
    from tests.fixtures.roaming import Roaming

#: A tariff that says all that can be said, in the order of the schema.
RICH = """<tariff><tariffId>DAY-2026</tariffId><receiverId>DEABC</receiverId>
<currency>EUR</currency><validFrom>2026-01-01T00:00:00+01:00</validFrom>
<validUntil>2027-01-01T00:00:00+01:00</validUntil>
<minimum>0.50</minimum><maximum>80</maximum>
<component><type>ENERGY</type><price>0.39</price><step>100</step></component>
<component><type>TIME</type><price>0.000001</price><step>60</step>
<from>3600</from><upTo>7200</upTo><localFrom>07:05</localFrom>
<localUntil>20:00</localUntil><weekday>SUN</weekday><weekday>MON</weekday></component>
<component><type>IDLE</type><price>0.10</price><graceSeconds>900</graceSeconds>
<localFrom>22:00</localFrom></component>
<component><type>FLAT</type><price>0</price></component>
<component><type>PARKING</type><price>0.50</price><step>900</step>
<pricePer>STEP</pricePer><dateFrom>2028-02-29</dateFrom>
<dateUntil>2028-03-01</dateUntil><powerFromW>11000</powerFromW>
<powerUpToW>22001</powerUpToW><durationFromSeconds>600</durationFromSeconds>
<durationUpToSeconds>7200</durationUpToSeconds>
<connectorKind>IEC_62196_T2_COMBO</connectorKind><priority>7</priority></component>
<discountPpm>25000</discountPpm><vatIncluded>true</vatIncluded>
<pricedBy>START</pricedBy></tariff>"""

#: Its components as they are told.
RICH_PRICES = [
    {"type": "ENERGY", "price": "0.390000", "step": "100"},
    {
        "type": "TIME",
        "price": "0.000001",
        "step": "60",
        "from": "3600",
        "upTo": "7200",
        "localFrom": "07:05",
        "localUntil": "20:00",
        "weekday": "SUN",
    },
    # a bound that is left out is midnight
    {
        "type": "IDLE",
        "price": "0.100000",
        "graceSeconds": "900",
        "localFrom": "22:00",
        "localUntil": "00:00",
    },
    {"type": "FLAT", "price": "0.000000"},
    {
        "type": "PARKING",
        "price": "0.500000",
        "step": "900",
        "pricePer": "STEP",
        "dateFrom": "2028-02-29",
        "dateUntil": "2028-03-01",
        "powerFromW": "11000",
        "powerUpToW": "22001",
        "durationFromSeconds": "600",
        "durationUpToSeconds": "7200",
        "connectorKind": "IEC_62196_T2_COMBO",
        "priority": "7",
    },
]


def tariff(
    price: str = "0.45",
    *,
    name: str = "T-1",
    valid_from: str = "2026-01-01T00:00:00Z",
    receiver: str = "",
) -> str:
    """Return a tariff of one price per kWh."""
    made_for = f"<receiverId>{receiver}</receiverId>" if receiver else ""
    return (
        f"<tariff><tariffId>{name}</tariffId>{made_for}<currency>EUR</currency>"
        f"<validFrom>{valid_from}</validFrom><component><type>ENERGY</type>"
        f"<price>{price}</price></component></tariff>"
    )


def versions(answer: Answer) -> list[tuple[str, str]]:
    """Return the versions that an answer gives to tariffs."""
    return [
        (answer.children(one)["tariffId"], answer.children(one)["version"])
        for one in answer.all("tariffVersion")
    ]


def names(answer: Answer) -> list[str | None]:
    """Return the names of pulled tariffs."""
    assert answer.code == 0
    return [one.text for one in answer.all("tariffId")]


@pytest.mark.clause("4.3-I3")
def test_csp_gets_a_tariff_as_it_was_published(roaming: Roaming) -> None:
    put = roaming.cso_speaks.call("tariff", "PutTariffs", RICH)

    answer = roaming.csp_speaks.call("tariff", "GetTariffs")

    (listed,) = answer.element.findall("{*}tariff")
    (told,) = listed.findall("{*}tariff")
    fields = answer.children(told)
    del fields["component"]
    assert put.code == 0
    assert answer.children(put.all("tariffVersion")[0]) == {
        "tariffId": "DAY-2026",
        "version": "1",
        "receiverId": "DEABC",
    }
    assert listed.findtext("{*}csoId") == "CHREP"
    assert listed.findtext("{*}version") == "1"
    assert fields == {
        "tariffId": "DAY-2026",
        "receiverId": "DEABC",
        "currency": "EUR",
        "validFrom": "2025-12-31T23:00:00Z",
        "validUntil": "2026-12-31T23:00:00Z",
        "minimum": "0.500000",
        "maximum": "80.000000",
        "discountPpm": "25000",
        "vatIncluded": "true",
        "pricedBy": "START",
    }
    assert [answer.children(one) for one in answer.all("component")] == RICH_PRICES
    assert [one.text for one in answer.all("weekday")] == ["MON", "SUN"]


def test_pulled_tariff_can_be_sent_back_as_the_same_version(roaming: Roaming) -> None:
    roaming.cso_speaks.call("tariff", "PutTariffs", RICH)
    answer = roaming.cso_speaks.call("tariff", "GetTariffs")
    begin, end = answer.raw.find(b"<tariff:tariff><tariff:tariffId"), -1
    end = answer.raw.find(b"</tariff:tariff>") + len(b"</tariff:tariff>")
    told = answer.raw[begin:end].decode().replace("tariff:", "")

    again = roaming.cso_speaks.call("tariff", "PutTariffs", told)

    assert (again.code, versions(again)) == (0, [("DAY-2026", "1")])


def test_good_tariffs_are_published_and_bad_ones_named(roaming: Roaming) -> None:
    roaming.cso_speaks.call("tariff", "PutTariffs", tariff())

    answer = roaming.cso_speaks.call(
        "tariff",
        "PutTariffs",
        tariff("0.39")
        + tariff("-1", name="T-2")
        + tariff(name="T-3", receiver="FRXXX")
        + tariff(name="T-4", receiver="DEABC")
        + tariff("0.39", valid_from="2026-11-22T13:00:00+01:00"),
    )

    assert (answer.status, answer.code) == (200, 100)
    assert [(one["index"], one["code"], one["path"]) for one in answer.items] == [
        ("0", "522", "validFrom"),
        ("1", "520", "component[1]/price"),
        ("2", "200", "receiverId"),
    ]
    assert answer.items[1]["found"] == "-1.000000"
    assert versions(answer) == [("T-4", "1"), ("T-1", "2")]
    pull = roaming.csp_speaks.call("tariff", "GetTariffs")
    assert names(pull) == ["T-1", "T-4", "T-1"]


def test_tariff_made_for_another_csp_is_not_told(
    roaming: Roaming, speaker: Callable[[Participant], Speaker]
) -> None:
    with roaming.env.database.begin() as tx:
        other = make_csp(tx, "NLXYZ")
        make_agreement(tx, roaming.cso, other)
    roaming.cso_speaks.call(
        "tariff",
        "PutTariffs",
        tariff() + tariff(name="SECRET", receiver="DEABC"),
    )

    theirs = speaker(other).call("tariff", "GetTariffs", "<csoId>CHREP</csoId>")

    assert names(theirs) == ["T-1"]
    assert b"SECRET" not in theirs.raw
    assert names(roaming.csp_speaks.call("tariff", "GetTariffs")) == ["T-1", "SECRET"]
    assert names(roaming.cso_speaks.call("tariff", "GetTariffs")) == ["T-1", "SECRET"]


def test_pull_goes_on_from_the_cursor_page_by_page(roaming: Roaming) -> None:
    many = "".join(tariff(name=f"T-{number}") for number in range(5))
    roaming.cso_speaks.call("tariff", "PutTariffs", many)

    first = roaming.csp_speaks.call("tariff", "GetTariffs", "<limit>3</limit>")
    second = roaming.csp_speaks.call(
        "tariff", "GetTariffs", f"<cursor>{first.required('nextCursor')}</cursor>"
    )

    assert (names(first), first.text("more")) == (["T-0", "T-1", "T-2"], "true")
    assert (names(second), second.text("more")) == (["T-3", "T-4"], "false")


def test_page_of_large_tariffs_ends_before_an_answer_is_too_long(
    roaming: Roaming,
) -> None:
    component = Component(
        type=ComponentType.TIME,
        price_u=123_456_789,
        step=60,
        tier_from=100_000_000,
        tier_up_to=200_000_000,
        grace_seconds=31_622_400,
        local_from=60,
        local_until=120,
        weekdays=frozenset(range(7)),
    )
    many = [f"T-{number:034d}" for number in range(200)]
    with roaming.env.database.begin() as tx:
        for name in many:
            made = make_tariff(tariff_id=name, components=(component,) * 50)
            published = Publication(
                publisher_id=roaming.cso.participant_id, tariff=made
            )
            tariffs.publish(tx, published, at=NOW)

    seen: list[str | None] = []
    cursor, more = "", "true"
    while more == "true":
        answer = roaming.csp_speaks.call("tariff", "GetTariffs", cursor)
        assert len(answer.raw) <= ORDINARY_BYTES_MAX
        seen += names(answer)
        cursor = f"<cursor>{answer.required('nextCursor')}</cursor>"
        more = answer.required("more")

    assert seen == many


def test_repeated_publication_gets_the_same_bytes_and_no_new_version(
    roaming: Roaming,
) -> None:
    speaker = roaming.cso_speaks
    body = speaker.envelope("tariff", "PutTariffs", tariff(), message_id=uuid4())

    first = post(speaker.engine, "tariff", body)
    speaker.call(
        "tariff", "PutTariffs", tariff("0.39", valid_from="2026-11-23T00:00:00Z")
    )
    second = post(speaker.engine, "tariff", body)

    assert second.raw == first.raw
    assert versions(second) == [("T-1", "1")]
    assert len(names(roaming.csp_speaks.call("tariff", "GetTariffs"))) == 2
