"""What tests of the rule catalogue say and hear: records and hits in full."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.storage import credentials
from tests.builders import NOW, make_entry, make_list_part
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import SINCE, STARTED_AT, World, make_sdr, spanning

if TYPE_CHECKING:
    from datetime import datetime

    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from tests.fixtures.engine import Speaker

LAX = Terms(match_required=False)
SESSION = "serviceSession"
CARD = "04A2B3C4D5E6F7"


def told(
    cso: Speaker, *records: ServiceDetailRecord, sequence: int = 1
) -> list[dict[str, str]]:
    """Submit records; return what is told of each hit."""
    answer = cso.call("sdr", "SubmitSdrs", batch(sequence, records))
    assert answer.code < 200, answer.raw
    return [
        {name: value for name, value in item.items() if name != "text"}
        for item in answer.items
    ]


def standings(cso: Speaker, *sdr_ids: str) -> list[dict[str, str]]:
    """Ask where SDRs stand."""
    asked = "".join(f"<sdrId>{one}</sdrId>" for one in sdr_ids)
    answer = cso.call("sdr", "GetSdrStatus", asked)
    return [answer.children(one) for one in answer.all("status") if len(one)]


def sdr_from(started_at: datetime, **override: object) -> ServiceDetailRecord:
    """Return an SDR of forty minutes."""
    spanned = spanning(make_sdr(), started_at, minutes=40)
    return replace(spanned, **override)  # type: ignore[arg-type]  # by the tests


def metered(start_wh: int, stop_wh: int) -> ServiceDetailRecord:
    record = make_sdr()
    transaction = record.charging_sessions[0].transactions[0]
    transaction.meter_start_wh, transaction.meter_stop_wh = start_wh, stop_wh
    return record


def charged(energy_wh: int, *, minutes: int, claimed: str) -> ServiceDetailRecord:
    record = make_sdr(claimed_net=Decimal(claimed))
    return spanning(record, STARTED_AT, minutes=minutes, energy_wh=energy_wh)


def dear(energy_wh: int, claimed: str) -> ServiceDetailRecord:
    record = make_sdr(claimed_net=Decimal(claimed))
    started_at = NOW - timedelta(hours=10)
    return spanning(record, started_at, minutes=400, energy_wh=energy_wh)


def ended(seconds: int) -> ServiceDetailRecord:
    """Return an SDR that ended so many seconds from now; it began before."""
    end = NOW + timedelta(seconds=seconds)
    return sdr_from(end - timedelta(minutes=40))


def local(hours: int) -> ServiceDetailRecord:
    return sdr_from(STARTED_AT.astimezone(timezone(timedelta(hours=hours))))


def enrol(
    world: World, *, at: datetime, status: CredentialStatus = CredentialStatus.VALID
) -> None:
    """Put the card on its CSP's list as it is from an instant on."""
    owner_id = world.csp.participant_id
    enrolled = world.env.vault.enrol(owner_id, SubjectKind.RFID, [CARD], at=SINCE)
    subject = enrolled.subjects[CARD]
    with world.env.database.begin() as tx:
        credentials.apply_delta(
            tx,
            make_list_part(world.csp, received_at=at),
            upserts=[make_entry(subject, status=status)],
            removals=[],
        )


def with_card(record: ServiceDetailRecord) -> ServiceDetailRecord:
    return replace(record, credential_kind=CredentialKind.RFID, credential_value=CARD)
