"""The reference CSP: knows its contracts, takes SDRs, confirms or rejects them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from clearinghouse import codes
from clearinghouse.endpoint.afterwards import Afterwards
from clearinghouse.endpoint.behaviour import Authorization
from clearinghouse.endpoint.client import ENTRIES_MAX, ClearingHouse
from clearinghouse.endpoint.journal import Entry, Journal
from clearinghouse.endpoint.messages.csp_endpoint import (
    AuthorizeRequest,
    DeliverSdrsRequest,
    NotifySessionRequest,
    NotifySettlementRequest,
    SettlementNotice,
)
from clearinghouse.endpoint.messages.sdr import DeliveredSdr, SdrDecision

# Says why an SDR is rejected, in one word, or ``None`` to confirm it.
Objection = Callable[[DeliveredSdr], str | None]


def no_objection(sdr: DeliveredSdr) -> str | None:
    """Confirm every SDR."""
    _ = sdr
    return None


def reject_above(net: str | None) -> Objection:
    """Return a rule that rejects what costs more than an amount."""
    if net is None:
        return no_objection
    bound = Decimal(net)

    def objection(sdr: DeliveredSdr) -> str | None:
        claimed = sdr.service_detail_record.claimed_net
        return "TOO_EXPENSIVE" if claimed > bound else None

    return objection


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """The contract behind each credential, by (kind, value); some may be blocked."""

    by_credential: Mapping[tuple[str, str], str]
    blocked: frozenset[str] = frozenset()
    max_energy_wh: int | None = None


class ReferenceCsp:
    """A CSP that keeps in a journal what it must not forget.

    Without ``house`` it takes SDRs and confirms none.
    """

    def __init__(
        self,
        contracts: Contracts,
        journal: Journal,
        *,
        house: ClearingHouse | None = None,
        objection: Objection = no_objection,
    ) -> None:
        self._contracts = contracts
        self._journal = journal
        self._house = house
        self._objection = objection
        self._afterwards = Afterwards()
        # What was taken before the last end and is not decided yet.
        self._decide(
            [
                entry
                for entry in journal.entries("sdr")
                if journal.find("decision", entry["id"]) is None
            ]
        )

    def authorize(self, request: AuthorizeRequest) -> Authorization:
        """Look the credential up; the credential is not stored (clause 8-min)."""
        known = self._contracts
        credential = request.credential
        contract = known.by_credential.get((credential.kind, credential.value))
        if contract is None:
            reason = codes.CREDENTIAL_UNKNOWN.name
            return Authorization(decision="REFUSED", reason=reason)
        if contract in known.blocked:
            reason = codes.CREDENTIAL_BLOCKED.name
            return Authorization(decision="REFUSED", reason=reason)
        return Authorization(
            decision="AUTHORIZED",
            contract_id=contract,
            max_energy_wh=known.max_energy_wh,
        )

    def notify_session(self, request: NotifySessionRequest) -> None:
        """Take note of an event once."""
        entry = {
            "kind": "event",
            "id": str(request.event_id),
            "session_id": str(request.session_id),
            "event": request.event,
            "state": request.state,
        }
        so_far = request.intermediate_sdr
        if so_far is not None:
            entry["sequence_no"] = str(so_far.sequence_no)
            entry["energy_wh"] = str(so_far.energy_wh)
            cost = so_far.estimated_net or so_far.claimed_net
            if cost is not None:
                entry["cost"] = f"{cost.amount} {cost.currency}"
        self._journal.append([entry])

    def deliver_sdrs(self, request: DeliverSdrsRequest) -> None:
        """Store each SDR once, whatever the delivery it came in.

        One that a net debit cap holds (S-211) is HELD: it is noted, and decided when it
        comes again to be settled.
        """
        entries = [self._entry(sdr) for sdr in request.sdr]
        delivery = {"kind": "delivery", "id": str(request.delivery_id)}
        new = self._journal.append([*entries, delivery])
        self._decide([entry for entry in new if entry["kind"] == "sdr"])

    def notify_settlement(self, request: NotifySettlementRequest) -> None:
        """Take note of the news of a delivery once."""
        named = str(request.delivery_id)
        news = [
            {
                "kind": "settlement",
                "id": f"{named}/{place}",
                "news": notice.news,
                "name": _name_of(notice),
                "state": notice.dispute_state or "",
                "turn_of": notice.turn_of or "",
            }
            for place, notice in enumerate(request.notice)
        ]
        self._journal.append([*news, {"kind": "delivery", "id": named}])

    def close(self) -> None:
        """Finish what is queued."""
        self._afterwards.finish()
        self._journal.close()

    def _decide(self, entries: Sequence[Entry]) -> None:
        if self._house is None:
            return
        for first in range(0, len(entries), ENTRIES_MAX):
            part = entries[first : first + ENTRIES_MAX]
            self._afterwards.add(partial(self._confirm, self._house, part))

    def _confirm(self, house: ClearingHouse, entries: Sequence[Entry]) -> None:
        house.confirm_sdrs([_decision(entry) for entry in entries])
        self._journal.append(
            [{"kind": "decision", "id": entry["id"]} for entry in entries]
        )

    def _entry(self, sdr: DeliveredSdr) -> Entry:
        sdr_id = sdr.service_detail_record.sdr_id
        return {
            "kind": "announcement" if sdr.status == "HELD" else "sdr",
            "id": f"{sdr.submitter_id}/{sdr_id}",
            "submitter_id": sdr.submitter_id,
            "sdr_id": sdr_id,
            "objection": self._objection(sdr) or "",
        }


def _name_of(notice: SettlementNotice) -> str:
    """Return what the news is about: what is asked for next."""
    names = (
        notice.statement_id,
        notice.document_number,
        notice.dispute_id,
        notice.run_id,
        notice.window_id,
    )
    return next((str(name) for name in names if name is not None), "")


def _decision(entry: Entry) -> SdrDecision:
    objection = entry["objection"] or None
    return SdrDecision(
        submitter_id=entry["submitter_id"],
        sdr_id=entry["sdr_id"],
        verdict="CONFIRMED" if objection is None else "REJECTED",
        reason=objection,
    )
