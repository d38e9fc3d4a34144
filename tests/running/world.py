"""Two partners with an agreement, EVSEs, a tariff and listed credentials."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from tests.running.house import House
from tests.running.soap import COMMON, Answer, Speaker

EVSES = 50
CREDENTIALS = 500
CURRENCY = "EUR"
TARIFF_ID = "STANDARD"
_PART = 500


class SetUpError(Exception):
    """The clearing house did not take what the set-up needs."""


def done(answer: Answer) -> Answer:
    """Return the answer when it is a plain yes.

    Raises :class:`SetUpError` else, with the answer's items.
    """
    if answer.code != 0:
        items = [list(item.itertext()) for item in answer.all("result", "item")]
        raise SetUpError(f"{answer.code} {items[:5]}")
    return answer


def evse_id(number: int) -> str:
    """Return the id of one of the CSO's EVSEs."""
    return f"DE*BEN*E{number:06d}"


def uid(number: int) -> str:
    """Return the RFID UID of one of the CSP's cards."""
    return f"04{number:012X}"


def contract_id(number: int) -> str:
    """Return the contract id of one of the CSP's cards."""
    return f"NLCSPC{number:08d}"


@dataclass(slots=True)
class Pair:
    """A CSO and a CSP that are ready to roam."""

    cso: Speaker
    csp: Speaker


def pair(house: House, *, match_required: bool = True) -> Pair:
    """Admit a CSO and a CSP and fill in all that an SDR needs."""
    cso = house.admit("DEBEN", "CSO")
    csp = house.admit("NLCSP", "CSP")
    house.command(
        "agreement",
        "add",
        "DEBEN",
        "NLCSP",
        "--currency",
        CURRENCY,
        "--from",
        "2020-01-01",
        "--match-required" if match_required else "--no-match-required",
    )
    cso.login()
    csp.login()
    put_evses(cso)
    put_tariff(cso)
    put_credentials(csp)
    return Pair(cso, csp)


def put_evses(cso: Speaker) -> None:
    """Upload the CSO's EVSEs as one full list."""
    entries = "".join(
        f"<evse><evseId>{evse_id(n)}</evseId><country>DE</country>"
        "<timeZone>Europe/Berlin</timeZone>"
        "<connector><kind>Type2</kind><powerW>150000</powerW></connector></evse>"
        for n in range(EVSES)
    )
    done(
        cso.call(
            "evse",
            "putEvses",
            f"<expectedCount>{EVSES}</expectedCount>{entries}"
            f"<part>1</part><parts>1</parts><listId>{uuid.uuid4()}</listId>",
        )
    )


def put_tariff(cso: Speaker) -> None:
    """Publish one default tariff: 0.49 per kWh."""
    done(
        cso.call(
            "tariff",
            "putTariffs",
            f"<tariff><tariffId>{TARIFF_ID}</tariffId><currency>{CURRENCY}</currency>"
            "<validFrom>2020-01-01T00:00:00Z</validFrom>"
            "<component><type>ENERGY</type><price>0.49</price></component></tariff>",
        )
    )


def put_credentials(csp: Speaker) -> None:
    """Upload the CSP's cards as one full list."""
    list_id = uuid.uuid4()
    parts = -(-CREDENTIALS // _PART)
    for part in range(parts):
        numbers = range(part * _PART, min((part + 1) * _PART, CREDENTIALS))
        entries = "".join(
            f'<entry><credential><kind xmlns="{COMMON}">RFID</kind>'
            f'<value xmlns="{COMMON}">{uid(n)}</value></credential>'
            f"<contractId>{contract_id(n)}</contractId><status>VALID</status></entry>"
            for n in numbers
        )
        done(
            csp.call(
                "credential",
                "putCredentials",
                f"<expectedCount>{CREDENTIALS}</expectedCount>{entries}"
                f"<part>{part + 1}</part><parts>{parts}</parts>"
                f"<listId>{list_id}</listId>",
            )
        )
