"""EVSEs and their status as partners exchange them, message by message."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from clearinghouse import codes
from clearinghouse.domain.evses import Address, Connector
from clearinghouse.services import evse_status, held_lists
from clearinghouse.soap.limits import ORDINARY_BYTES_MAX
from clearinghouse.storage import evses
from tests.builders import make_evse
from tests.fixtures.engine import post
from tests.fixtures.roaming import EVSE
from tests.ocmf import Meter

if TYPE_CHECKING:
    from tests.fixtures.engine import Answer
    from tests.fixtures.partners import StillClock
    from tests.fixtures.roaming import Roaming

OTHER = "CH*REP*E0002*1"

#: All that can be said of an EVSE, in the order of the schema.
DESCRIPTION = f"""<operatorId>CH*REP</operatorId><latitude>46.9481004</latitude>
<longitude>-7.4474000</longitude><street>Bundesplatz</street>
<houseNumber>3 &amp; 4</houseNumber><postalCode>3005</postalCode><city>Bern</city>
<country>CH</country><timeZone>Europe/Zurich</timeZone>
<connector><kind>IEC_62196_T2_COMBO</kind><powerW>150000</powerW></connector>
<connector><kind>CHADEMO</kind><powerW>50000</powerW></connector>
<open24Hours>false</open24Hours>
<meterPublicKey>{Meter().public_key}</meterPublicKey>"""


def evse(received: str, *, element: str = "evse", zone: str = "Europe/Zurich") -> str:
    """Return an EVSE with what must be said of it."""
    return (
        f"<{element}><evseId>{received}</evseId><country>CH</country>"
        f"<timeZone>{zone}</timeZone></{element}>"
    )


def whole_list(*evses: str, count: int | None = None) -> str:
    """Return the content of a PutEvses of one part."""
    expected = len(evses) if count is None else count
    return (
        f"<expectedCount>{expected}</expectedCount>{''.join(evses)}"
        f"<part>1</part><parts>1</parts><listId>{uuid4()}</listId>"
    )


def status(received: str, clock: StillClock, occupancy: str = "FREE") -> str:
    """Return a status observed now."""
    return (
        f"<status><evseId>{received}</evseId><availability>OPERATIVE</availability>"
        f"<occupancy>{occupancy}</occupancy>"
        f"<occurredAt>{clock.now().isoformat()}</occurredAt>"
        "<timeToLiveSeconds>60</timeToLiveSeconds></status>"
    )


def pulled(answer: Answer) -> dict[str, bool]:
    """Return the pulled EVSEs, and whether each is a tombstone."""
    assert answer.code == 0
    return {
        one.findtext("{*}evse/{*}evseId") or "": one.findtext("{*}removed") == "true"
        for one in answer.element.findall("{*}evse")
    }


@pytest.mark.clause("4.3-I3", "3.3")
def test_csp_gets_an_evse_as_its_operator_described_it(roaming: Roaming) -> None:
    sent = f"<evse><evseId>chrepe00011</evseId>{DESCRIPTION}</evse>"

    put = roaming.cso_speaks.call("evse", "PutEvses", whole_list(sent))
    answer = roaming.csp_speaks.call("evse", "GetEvses", "<csoId>CHREP</csoId>")

    (listed,) = answer.element.findall("{*}evse")
    fields = answer.children(listed.findall("{*}evse")[0])
    connectors = [
        (one.findtext("{*}kind"), one.findtext("{*}powerW"))
        for one in answer.all("connector")
    ]
    del fields["connector"]
    assert (put.code, put.text("state")) == (0, "APPLIED")
    assert (put.text("accepted"), put.text("refused")) == ("1", "0")
    assert listed.findtext("{*}csoId") == "CHREP"
    assert fields == {
        "evseId": "CH*REP*E00011",
        "operatorId": "CH*REP",
        "latitude": "46.948100",
        "longitude": "-7.447400",
        "street": "Bundesplatz",
        "houseNumber": "3 & 4",
        "postalCode": "3005",
        "city": "Bern",
        "country": "CH",
        "timeZone": "Europe/Zurich",
        "open24Hours": "false",
        "meterPublicKey": Meter().public_key,
    }
    assert connectors == [("IEC_62196_T2_COMBO", "150000"), ("CHADEMO", "50000")]


def test_each_wrong_entry_is_answered_by_its_place(roaming: Roaming) -> None:
    answer = roaming.cso_speaks.call(
        "evse",
        "PutEvses",
        whole_list(
            evse("CHEREPE16970"), evse(EVSE), evse(OTHER, zone="Bern"), evse("FR*A*E1")
        ),
    )

    assert (answer.code, answer.text("state")) == (100, "APPLIED")
    assert (answer.text("accepted"), answer.text("refused")) == ("1", "3")
    assert [
        (one["index"], one["code"], one["path"], one["found"]) for one in answer.items
    ] == [
        ("0", "501", "evseId", "CHEREPE16970"),
        ("2", "505", "timeZone", "Bern"),
        ("3", "501", "evseId", "FR*A*E1"),
    ]
    assert answer.items[0]["expected"].endswith("write CH*REP*E16970")
    assert pulled(roaming.csp_speaks.call("evse", "GetEvses")) == {EVSE: False}


def test_changes_follow_the_cursor_and_removals_are_told(roaming: Roaming) -> None:
    start = roaming.csp_speaks.call("evse", "GetEvses")
    cursor = f"<cursor>{start.required('nextCursor')}</cursor>"
    unchanged = roaming.csp_speaks.call("evse", "GetEvses", cursor)

    update = roaming.cso_speaks.call(
        "evse",
        "UpdateEvses",
        f"{evse(OTHER, element='upsert')}<remove>{EVSE}</remove><remove>x</remove>",
    )
    changes = roaming.csp_speaks.call("evse", "GetEvses", cursor)

    assert pulled(unchanged) == {}
    assert (update.code, update.text("accepted"), update.text("refused")) == (
        100,
        "2",
        "1",
    )
    assert [(one["index"], one["path"]) for one in update.items] == [("1", "remove")]
    assert pulled(changes) == {OTHER: False, EVSE: True}
    assert changes.text("more") == "false"


def test_page_of_large_evses_ends_before_an_answer_is_too_long(
    roaming: Roaming,
) -> None:
    line = "&" * 100
    many = [
        make_evse(
            f"CH*REP*E1{number:04d}",
            address=Address(street=line, house_number=line, city=line),
            connectors=(Connector(kind="K" * 64, power_w=100_000_000),) * 20,
        )
        for number in range(600)
    ]
    with roaming.env.database.begin() as tx:
        evses.apply_delta(tx, roaming.cso.participant_id, upserts=many, removals=[])

    seen: list[str] = []
    cursor, more = "", "true"
    while more == "true":
        answer = roaming.csp_speaks.call("evse", "GetEvses", cursor)
        assert len(answer.raw) <= ORDINARY_BYTES_MAX
        seen += pulled(answer)
        cursor = f"<cursor>{answer.required('nextCursor')}</cursor>"
        more = answer.required("more")

    assert seen == [EVSE, *(one.evse_id.spaced for one in many)]


def test_list_that_would_empty_the_network_is_held(roaming: Roaming) -> None:
    answer = roaming.cso_speaks.call("evse", "PutEvses", whole_list())

    assert (answer.code, answer.text("state")) == (103, "HELD")
    assert pulled(roaming.csp_speaks.call("evse", "GetEvses")) == {EVSE: False}
    (waiting,) = held_lists.held_lists(roaming.env)
    held_lists.discard(roaming.env, waiting.held.list_id)
    again = roaming.cso_speaks.call("evse", "PutEvses", whole_list(evse(EVSE)))
    assert (again.code, again.text("state")) == (0, "APPLIED")


def test_repeated_message_gets_the_same_bytes_even_when_it_was_refused(
    roaming: Roaming,
) -> None:
    speaker, message_id = roaming.cso_speaks, uuid4()
    wrong = speaker.envelope(
        "evse",
        "PutEvses",
        whole_list(evse(OTHER), count=2),
        message_id=message_id,
    )

    first = post(speaker.engine, "evse", wrong)
    second = post(speaker.engine, "evse", wrong)
    other = speaker.call(
        "evse", "PutEvses", whole_list(evse(OTHER)), message_id=message_id
    )

    assert (first.status, first.code) == (200, 506)
    assert not first.has("state")
    assert first.items[0]["path"] == "expectedCount"
    assert second.raw == first.raw
    assert (other.is_fault, other.code) == (True, codes.DUPLICATE_CONFLICT.number)


def test_part_that_fits_no_list_is_refused_again_when_it_is_repeated(
    roaming: Roaming,
) -> None:
    speaker = roaming.cso_speaks
    body = speaker.envelope(
        "evse",
        "PutEvses",
        f"<expectedCount>1</expectedCount>{evse(EVSE)}<part>3</part><parts>2</parts>"
        f"<listId>{uuid4()}</listId>",
    )

    first = post(speaker.engine, "evse", body)
    second = post(speaker.engine, "evse", body)

    assert (first.is_fault, first.code) == (False, 506)
    assert first.items[0]["path"] == "part"
    assert second.raw == first.raw


def test_roles_say_who_lists_and_who_pulls(roaming: Roaming) -> None:
    by_csp = roaming.csp_speaks.call("evse", "PutEvses", whole_list(evse(EVSE)))
    by_cso = roaming.cso_speaks.call("evse", "GetEvses")

    assert (by_csp.is_fault, by_csp.code) == (True, codes.NOT_AUTHORISED.number)
    assert (by_cso.is_fault, by_cso.code) == (True, codes.NOT_AUTHORISED.number)


def test_partner_that_is_not_agreed_and_a_foreign_cursor_are_refused(
    roaming: Roaming,
) -> None:
    nobody = roaming.csp_speaks.call("evse", "GetEvses", "<csoId>FRXXX</csoId>")
    cursor = roaming.csp_speaks.call("evse", "GetEvses", "<cursor>abc</cursor>")

    assert (nobody.is_fault, nobody.code) == (False, 200)
    assert not nobody.has("more")
    assert (cursor.is_fault, cursor.code) == (True, codes.CURSOR.number)


@pytest.mark.clause("4.3-I3", "3.3")
def test_status_goes_from_the_station_to_the_csp_and_dies_in_time(
    roaming: Roaming, clock: StillClock
) -> None:
    older = status(EVSE, clock)
    clock.forward(seconds=10)

    newer = roaming.cso_speaks.call(
        "evse",
        "PutStatus",
        status(EVSE, clock, "OCCUPIED") + status("CH*REP*E77", clock),
    )
    late = roaming.cso_speaks.call("evse", "PutStatus", older)
    pull = roaming.csp_speaks.call("evse", "GetStatus")

    assert newer.code == 100
    assert [(one["index"], one["code"]) for one in newer.items] == [("1", "500")]
    assert late.code == 100
    assert [(one["index"], one["code"]) for one in late.items] == [("0", "106")]
    (told,) = pull.all("status")
    fields = pull.children(told)
    assert (fields["csoId"], fields["evseId"]) == ("CHREP", EVSE)
    assert (fields["availability"], fields["occupancy"]) == ("OPERATIVE", "OCCUPIED")
    assert fields["occurredAt"].startswith("2026-11-22T12:00:10")
    assert fields["validUntil"].startswith("2026-11-22T12:01:10")
    assert fields["stale"] == "false"

    clock.forward(seconds=60)
    assert evse_status.expire_statuses(roaming.env) == 1
    change = roaming.csp_speaks.call(
        "evse", "GetStatus", f"<cursor>{pull.required('nextCursor')}</cursor>"
    )
    (told,) = change.all("status")
    fields = change.children(told)
    assert (fields["availability"], fields["occupancy"]) == ("UNKNOWN", "UNKNOWN")
    assert fields["stale"] == "true"
