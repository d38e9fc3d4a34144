"""The worked netting cases N1, N2 and N6, from SOAP messages to statements."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.money import CURRENCIES
from clearinghouse.domain.tariffs import Component, ComponentType
from clearinghouse.services import settlement
from clearinghouse.soap.parser import parse_own
from clearinghouse.storage import evses, tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import make_agreement, make_evse, make_participant, make_tariff
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import SINCE, STARTED_AT, make_sdr, spanning

if TYPE_CHECKING:
    from clearinghouse.contract.catalogue import Contract
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site
    from tests.fixtures.engine import Answer, Speaker

NAMESPACE = {"s": "urn:clearinghouse:iec63119:statement:1"}

#: Who owes whom, in EUR: one SDR each.
MATRIX = {
    ("B", "A"): "1000.00",
    ("A", "B"): "400.00",
    ("C", "A"): "250.50",
    ("A", "C"): "600.25",
    ("C", "B"): "333.00",
    ("D", "A"): "100.01",
    ("B", "D"): "77.77",
}

#: What each gets in the end (N2).
NET = {"A": "350.26", "B": "-344.77", "C": "16.75", "D": "-22.24"}

#: Amounts that no single session has: the cases are about netting.
TERMS = Terms(match_required=False, net_ceiling_minor=10**9)


@pytest.fixture
def speakers(
    env: Environment, speaker: Callable[[Participant], Speaker]
) -> dict[str, Speaker]:
    """Admit four partners that are CSP and CSO at once, agreed with each other."""
    both = frozenset({Role.CSO, Role.CSP})
    with env.database.begin() as tx:
        people = {
            name: make_participant(tx, party_id=f"DE{name * 3}", roles=both)
            for name in NET
        }
        for name, person in people.items():
            evse = make_evse(f"DE*{name * 3}*E1")
            evses.apply_delta(tx, person.participant_id, upserts=[evse], removals=[])
            for home in people.values():
                if home is not person:
                    make_agreement(tx, person, home, valid_from=SINCE, terms=TERMS)
        for (debtor, creditor), amount in MATRIX.items():
            price_u = int(Decimal(amount) * 10**6)
            tariff = make_tariff(
                tariff_id=f"FLAT-{debtor}",
                valid_from=SINCE,
                components=(Component(type=ComponentType.FLAT, price_u=price_u),),
            )
            owner = people[creditor].participant_id
            tariffs.publish(
                tx, Publication(publisher_id=owner, tariff=tariff), at=SINCE
            )
    settlement.ensure_window(env, "2026-11")
    return {name: speaker(person) for name, person in people.items()}


def _submit_matrix(speakers: dict[str, Speaker]) -> None:
    for creditor, speaking in speakers.items():
        records = [
            make_sdr(
                csp_id=f"DE{debtor * 3}",
                evse_id=f"DE*{creditor * 3}*E1",
                tariff_id=f"FLAT-{debtor}",
                claimed_net=Decimal(amount),
            )
            for (debtor, owed), amount in MATRIX.items()
            if owed == creditor
        ]
        apart = [
            spanning(record, STARTED_AT - timedelta(hours=place), minutes=40)
            for place, record in enumerate(records)
        ]
        answer = speaking.call("sdr", "SubmitSdrs", batch(1, apart))
        assert answer.required("accepted") == str(len(records)), answer.items


def _statement(speaking: Speaker) -> bytes:
    number = speaking.call("settlement", "ListStatements").required("statementId")
    got = speaking.call(
        "settlement",
        "GetStatement",
        f"<statementId>{number}</statementId><format>XML</format>",
    )
    return base64.b64decode(got.required("content"))


@pytest.mark.clause("4.3-I3", "4.2-central", "4.2-dual")
def test_four_partners_are_netted_and_their_statements_sum_to_zero(
    env: Environment, speakers: dict[str, Speaker], contract: Contract
) -> None:
    _submit_matrix(speakers)

    closing = settlement.close(env, next_label="2026-12")

    (settled,) = closing.settlements
    assert settled.gross_minor == 2761_53
    assert settled.bilateral_minor == 1460_53
    assert settled.multilateral_minor == 367_01
    nets = {}
    for name, speaking in speakers.items():
        root = parse_own(_statement(speaking))
        contract.schema("statement").assertValid(root)
        nets[name] = root.findtext("s:totals/s:net", None, NAMESPACE)
        assert _net(speaking.call("settlement", "GetPositions", _WINDOW)) == NET[name]
    assert nets == NET
    assert sum(Decimal(net or "") for net in nets.values()) == 0


_WINDOW = "<windowId>1</windowId>"


def _net(answer: Answer) -> str:
    (net,) = answer.all("net")
    return answer.children(net)["amount"]


def test_an_empty_window_closes_and_consumes_no_number(
    env: Environment, speakers: dict[str, Speaker]
) -> None:
    settlement.close(env, next_label="2026-12")
    _submit_matrix(speakers)
    settlement.close(env, next_label="2027-01")

    numbers = [
        speaking.call("settlement", "ListStatements").required("statementId")
        for speaking in speakers.values()
    ]

    assert numbers == [f"ST-2026-00000{n}" for n in (1, 2, 3, 4)]
    empty = speakers["A"].call("settlement", "GetPositions", _WINDOW)
    assert empty.required("windowState") == "CLOSED"
    assert not empty.has("position")


def test_hub_sees_its_positions_with_hundreds_of_partners(
    env: Environment, speaker: Callable[[Participant], Speaker], site: Site
) -> None:
    currencies = sorted(CURRENCIES)[:30]
    with env.database.begin() as tx:
        hub = make_participant(tx, party_id="DEHUB")
        for number in range(250):
            make_participant(tx, party_id=f"FR{number:03d}")
    settlement.ensure_window(env, "2026-11")
    with site.superuser() as connection:
        # No batch is behind these totals: triggers and foreign keys rest.
        connection.execute("SET session_replication_role = replica")
        connection.execute(_TOTALS, (currencies, len(currencies), hub.participant_id))

    answer = speaker(hub).call("settlement", "GetPositions")

    assert answer.code == 0, answer.raw
    positions = answer.all("position")
    assert len(positions) == 250
    assert len({answer.children(one)["counterpartyId"] for one in positions}) == 250
    assert len(answer.all("net")) == len(currencies)
    assert answer.required("more") == "false"
    assert not answer.has("nextCursor")


def _hub(env: Environment, site: Site, partners: int) -> Participant:
    """Make a hub that owes so many partners something, in one currency each."""
    with env.database.begin() as tx:
        hub = make_participant(tx, party_id="DEHUB")
        for number in range(partners):
            make_participant(tx, party_id=f"FR{number:03d}")
    settlement.ensure_window(env, "2026-11")
    with site.superuser() as connection:
        # No batch is behind these totals: triggers and foreign keys rest.
        connection.execute("SET session_replication_role = replica")
        connection.execute(_TOTALS, (["EUR", "SEK"], 2, hub.participant_id))
    return hub


def _rows(answer: Answer, name: str) -> list[dict[str, str]]:
    return [answer.children(one) for one in answer.all(name)]


def test_positions_come_in_pages_under_the_sums_of_all(
    env: Environment, speaker: Callable[[Participant], Speaker], site: Site
) -> None:
    hub = _hub(env, site, 25)
    client = speaker(hub)
    whole = client.call("settlement", "GetPositions")

    pages, cursor = [], ""
    for _ in range(4):
        words = f"{cursor}<limit>7</limit>"
        pages.append(client.call("settlement", "GetPositions", words))
        cursor = f"<cursor>{pages[-1].text('nextCursor') or ''}</cursor>"

    shown = [_rows(page, "position") for page in pages]
    assert [len(one) for one in shown] == [7, 7, 7, 4]
    assert [one for page in shown for one in page] == _rows(whole, "position")
    assert [page.required("more") for page in pages] == ["true"] * 3 + ["false"]
    assert not pages[-1].has("nextCursor")
    for page in pages:
        for sums in ("net", "gross"):
            assert _rows(page, sums) == _rows(whole, sums)
            assert len(_rows(page, sums)) == 2


def test_page_goes_on_in_its_window_also_when_that_one_closes(
    env: Environment, speaker: Callable[[Participant], Speaker], site: Site
) -> None:
    client = speaker(_hub(env, site, 25))
    first = client.call("settlement", "GetPositions", "<limit>7</limit>")
    cursor = f"<cursor>{first.required('nextCursor')}</cursor>"
    with site.superuser() as connection:
        connection.execute(
            "UPDATE clearing.settlement_window SET state = 'CUTOVER', cutover_at=now()"
        )
    settlement.ensure_window(env, "2026-12")

    second = client.call("settlement", "GetPositions", cursor)
    other = client.call("settlement", "GetPositions", f"<windowId>2</windowId>{cursor}")

    assert second.required("windowLabel") == "2026-11"
    assert len(second.all("position")) == 18
    assert other.code == 826, other.raw


@pytest.mark.parametrize("cursor", ["EUR", "1.EUR", "1.EUR.FRA2", "x.EUR.FRA23"])
def test_foreign_cursor_of_positions_is_refused(
    env: Environment,
    speaker: Callable[[Participant], Speaker],
    site: Site,
    cursor: str,
) -> None:
    client = speaker(_hub(env, site, 2))

    answer = client.call("settlement", "GetPositions", f"<cursor>{cursor}</cursor>")

    assert answer.code == 826, answer.raw
    assert not answer.has("position")


_TOTALS = """
    INSERT INTO clearing.batch_total
    SELECT window_id, gen_random_uuid(), debtor.participant_id, hub.participant_id,
           (%s::text[])[1 + debtor.participant_id %% %s], 1, 1000, 500
    FROM clearing.settlement_window, clearing.participant AS hub
    JOIN clearing.participant AS debtor USING (status)
    WHERE hub.participant_id = %s AND debtor.participant_id <> hub.participant_id
"""
