"""Service sdr: what the SDRs of a day add up to, for comparison (3.10)."""

from __future__ import annotations

from clearinghouse.domain.money import currency_of, minor_to_decimal
from clearinghouse.facades.iec63119 import pages, results
from clearinghouse.facades.iec63119.operations import Desk, OperationSpec, sender_of
from clearinghouse.facades.iec63119.vocabulary import SDR_ROLE
from clearinghouse.services import sdr_digests
from clearinghouse.services.outcomes import Done
from clearinghouse.services.sdr_digests import DigestQuery
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.operations import Call
from clearinghouse.storage.sdr_digests import DayDigest


def _get_digest(desk: Desk, call: Call) -> bytes:
    role = call.body.role
    page = sdr_digests.get_digest(
        desk.env,
        sender_of(call),
        DigestQuery(
            role=None if role is None else SDR_ROLE.read(role),
            first_day=call.body.first_day,
            last_day=call.body.last_day,
            cursor=call.body.cursor,
        ),
    )
    return results.answer(
        desk.bindings,
        call,
        Done(),
        digest=[digest_of_day(desk.bindings, one) for one in page.digests],
        **pages.tail(page),
    )


def digest_of_day(bindings: Bindings, found: DayDigest) -> Record:
    """Return the record of type ``sdr:DayDigest``."""
    return bindings.new(
        "sdr:DayDigest",
        day=found.day.isoformat(),
        partner_id=found.party_id,
        accepted=found.accepted,
        held=found.held,
        refused=found.refused,
        energy_wh=found.energy_wh,
        net=[
            bindings.new(
                "common:CurrencyAmount",
                currency=currency,
                amount=minor_to_decimal(net_minor, currency_of(currency)),
            )
            for currency, net_minor in sorted(found.net_minor.items())
        ],
        digest=found.digest.hex(),
    )


OPERATIONS = (
    OperationSpec(service="sdr", name="GetDigest", handle=_get_digest, changes=False),
)
