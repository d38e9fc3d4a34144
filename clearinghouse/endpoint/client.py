"""The clearing house as a Python object: one typed method per operation.

Each method returns the answer as a dataclass or raises one of
:mod:`clearinghouse.endpoint.errors`. Methods that change something take a
``message_id``: store it before the call when the process may end before the answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Protocol, TypeVar
from uuid import UUID, uuid4

import requests

from clearinghouse.endpoint import calls
from clearinghouse.endpoint.batch import control_of
from clearinghouse.endpoint.clock import now
from clearinghouse.endpoint.codec import to_mapping, wire_value
from clearinghouse.endpoint.connection import Account, Connection, Patience
from clearinghouse.endpoint.messages import (
    access,
    authorization,
    credential,
    directory,
    dispute,
    evse,
    sdr,
    session,
    settlement,
    tariff,
)
from clearinghouse.endpoint.messages.common import Credential
from clearinghouse.endpoint.wire import Answer, Operation

A = TypeVar("A", bound=Answer)
D = TypeVar("D", settlement.GetStatementResponse, settlement.GetInvoiceResponse)

# The contract's bound of one list message.
ENTRIES_MAX = 1_000
# Stops a walk over pages that never ends.
PAGES_MAX = 100_000


class Page(Answer, Protocol):
    """An answer that may be followed by more."""

    @property
    def next_cursor(self) -> str | None:
        """Where the next page begins; keep it for the next walk."""

    @property
    def more(self) -> bool | None:
        """Whether more is there now."""


P = TypeVar("P", bound=Page)


def pages(pull: Callable[[str | None], P], cursor: str | None = None) -> Iterator[P]:
    """Yield the pages of a pulled list from a cursor on; none means from the start.

    ``pages(lambda cursor: house.get_evses(cursor=cursor))``; keep the last page's
    ``next_cursor`` and go on from there the next time.
    """
    for _ in range(PAGES_MAX):
        page = pull(cursor)
        yield page
        if not page.more:
            return
        cursor = page.next_cursor


class ClearingHouse:
    """The operations of the clearing house for one partner; threads may share it."""

    def __init__(
        self,
        url: str,
        account: Account,
        *,
        patience: Patience | None = None,
        session: requests.Session | None = None,
    ) -> None:
        """Use ``session`` for a private authority, a client certificate or a proxy."""
        self._connection = Connection(url, account, patience=patience, session=session)

    def close(self) -> None:
        """Close the kept connections; the token lives on to its end."""
        self._connection.close()

    def call(
        self,
        operation: Operation[A],
        body: Mapping[str, object],
        message_id: UUID | None = None,
    ) -> A:
        """Call an operation with a body of the contract's own element names."""
        present = {name: wire_value(value) for name, value in body.items()}
        present = {name: value for name, value in present.items() if value is not None}
        return self._connection.call(operation, present, message_id=message_id)

    # access

    def login(self) -> access.LoginResponse:
        """Log in now; every other call logs in by itself when it needs to."""
        return self._connection.login()

    def logout(self) -> access.LogoutResponse:
        """End the token."""
        return self.call(calls.LOGOUT, {})

    def heartbeat(self) -> access.HeartbeatResponse:
        """Say that we are there, and learn how far our clock is off."""
        return self.call(calls.HEARTBEAT, {"sentAt": now()})

    # directory

    def get_participants(
        self, *, cursor: str | None = None, limit: int | None = None
    ) -> directory.GetParticipantsResponse:
        """Pull the partners with whom an agreement is in force."""
        return self.call(calls.GET_PARTICIPANTS, {"cursor": cursor, "limit": limit})

    def put_endpoints(
        self, endpoints: Sequence[directory.Endpoint]
    ) -> directory.PutEndpointsResponse:
        """Say where the clearing house reaches our services."""
        return self.call(calls.PUT_ENDPOINTS, {"endpoint": endpoints})

    # credential

    def put_credentials(
        self, entries: Sequence[credential.CredentialEntry]
    ) -> credential.PutCredentialsResponse:
        """Replace the whole list, in as many messages as it needs."""
        return self._put_list(calls.PUT_CREDENTIALS, "entry", entries)

    def update_credentials(
        self,
        *,
        upsert: Sequence[credential.CredentialEntry] = (),
        remove: Sequence[Credential] = (),
    ) -> credential.UpdateCredentialsResponse:
        """Change entries of the list."""
        return self.call(calls.UPDATE_CREDENTIALS, {"upsert": upsert, "remove": remove})

    def get_credentials(
        self,
        *,
        csp_id: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> credential.GetCredentialsResponse:
        """Pull the credentials that may charge with us (as a CSO)."""
        return self.call(
            calls.GET_CREDENTIALS, {"cspId": csp_id, "cursor": cursor, "limit": limit}
        )

    # authorization

    def authorize_start(
        self,
        evse_id: str,
        credential: Credential,
        *,
        partner_session_id: str | None = None,
        message_id: UUID | None = None,
    ) -> authorization.AuthorizeStartResponse:
        """Ask whether an EV user may charge; look at the answer's ``decision``."""
        body = {
            "evseId": evse_id,
            "credential": credential,
            "partnerSessionId": partner_session_id,
        }
        return self.call(calls.AUTHORIZE_START, body, message_id)

    def authorize_stop(
        self,
        session_id: UUID,
        credential: Credential,
        *,
        message_id: UUID | None = None,
    ) -> authorization.AuthorizeStopResponse:
        """Ask whether a medium may stop a session."""
        body = {"sessionId": session_id, "credential": credential}
        return self.call(calls.AUTHORIZE_STOP, body, message_id)

    # session

    def start_session(
        self,
        evse_id: str,
        contract: Credential | str,
        *,
        partner_session_id: str | None = None,
        message_id: UUID | None = None,
    ) -> session.StartSessionResponse:
        """Start charging at a CSO's EVSE, for a credential or a contract id."""
        by = "contractId" if isinstance(contract, str) else "credential"
        body = {
            "evseId": evse_id,
            by: contract,
            "partnerSessionId": partner_session_id,
        }
        return self.call(calls.START_SESSION, body, message_id)

    def stop_session(
        self, session_id: UUID, *, message_id: UUID | None = None
    ) -> session.StopSessionResponse:
        """Stop a session that runs at a CSO's EVSE."""
        return self.call(calls.STOP_SESSION, {"sessionId": session_id}, message_id)

    def report_session(
        self,
        report: session.ReportSessionRequest,
        *,
        message_id: UUID | None = None,
    ) -> session.ReportSessionResponse:
        """Report an event of a session (as a CSO)."""
        return self.call(calls.REPORT_SESSION, to_mapping(report), message_id)

    def get_session(self, session_id: UUID | str) -> session.GetSessionResponse:
        """Return a session by the clearing house's id, or as text by ours."""
        by = "sessionId" if isinstance(session_id, UUID) else "partnerSessionId"
        return self.call(calls.GET_SESSION, {by: session_id})

    # evse

    def put_evses(self, evses: Sequence[evse.Evse]) -> evse.PutEvsesResponse:
        """Replace the whole list, in as many messages as it needs."""
        return self._put_list(calls.PUT_EVSES, "evse", evses)

    def update_evses(
        self, *, upsert: Sequence[evse.Evse] = (), remove: Sequence[str] = ()
    ) -> evse.UpdateEvsesResponse:
        """Change entries of the list; ``remove`` holds EVSE ids."""
        return self.call(calls.UPDATE_EVSES, {"upsert": upsert, "remove": remove})

    def get_evses(
        self,
        *,
        cso_id: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> evse.GetEvsesResponse:
        """Pull EVSEs."""
        return self.call(
            calls.GET_EVSES, {"csoId": cso_id, "cursor": cursor, "limit": limit}
        )

    def put_status(self, statuses: Sequence[evse.EvseStatus]) -> evse.PutStatusResponse:
        """Report availability and occupancy."""
        return self.call(calls.PUT_STATUS, {"status": statuses})

    def get_status(
        self,
        *,
        cso_id: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> evse.GetStatusResponse:
        """Pull statuses."""
        return self.call(
            calls.GET_STATUS, {"csoId": cso_id, "cursor": cursor, "limit": limit}
        )

    # tariff

    def put_tariffs(
        self, tariffs: Sequence[tariff.Tariff]
    ) -> tariff.PutTariffsResponse:
        """Publish tariffs; each gets a version."""
        return self.call(calls.PUT_TARIFFS, {"tariff": tariffs})

    def get_tariffs(
        self,
        *,
        cso_id: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> tariff.GetTariffsResponse:
        """Pull tariffs."""
        return self.call(
            calls.GET_TARIFFS, {"csoId": cso_id, "cursor": cursor, "limit": limit}
        )

    # sdr

    def submit_sdrs(
        self,
        batch_sequence: int,
        records: Sequence[sdr.ServiceDetailRecord],
        *,
        message_id: UUID | None = None,
    ) -> sdr.SubmitSdrsResponse:
        """Submit a batch with its control totals; the sequence has no gaps."""
        body = {
            "batchSequence": batch_sequence,
            "control": control_of(records),
            "serviceDetailRecord": records,
        }
        return self.call(calls.SUBMIT_SDRS, body, message_id)

    def get_sdrs(
        self,
        *,
        role: sdr.SdrRole | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> sdr.GetSdrsResponse:
        """Pull SDRs that we submitted or have to pay."""
        return self.call(
            calls.GET_SDRS, {"role": role, "cursor": cursor, "limit": limit}
        )

    def confirm_sdrs(
        self, decisions: Sequence[sdr.SdrDecision], *, message_id: UUID | None = None
    ) -> sdr.ConfirmSdrsResponse:
        """Confirm or reject SDRs (as their home CSP)."""
        return self.call(calls.CONFIRM_SDRS, {"decision": decisions}, message_id)

    def get_sdr_status(
        self,
        sdr_ids: Sequence[str],
        *,
        submitter_id: str | None = None,
        cursor: str | None = None,
    ) -> sdr.GetSdrStatusResponse:
        """Return where SDRs stand; with ``cursor`` the rest of the same ids."""
        fields = {"sdrId": sdr_ids, "submitterId": submitter_id, "cursor": cursor}
        return self.call(calls.GET_SDR_STATUS, fields)

    def get_batch_status(
        self, batch_sequence: int, *, cursor: str | None = None
    ) -> sdr.GetSdrStatusResponse:
        """Return where the SDRs of one of our batches stand."""
        return self.call(
            calls.GET_SDR_STATUS, {"batchSequence": batch_sequence, "cursor": cursor}
        )

    def get_digest(
        self,
        first_day: date,
        last_day: date,
        *,
        role: sdr.SdrRole | None = None,
        cursor: str | None = None,
    ) -> sdr.GetDigestResponse:
        """Return what the SDRs of days add up to, per partner; 31 days at most."""
        fields = {
            "role": role,
            "firstDay": first_day.isoformat(),
            "lastDay": last_day.isoformat(),
            "cursor": cursor,
        }
        return self.call(calls.GET_DIGEST, fields)

    def dispute_sdr(
        self, complaint: dispute.Complaint, *, message_id: UUID | None = None
    ) -> dispute.DisputeSdrResponse:
        """Dispute an SDR that we have to pay (as its home CSP)."""
        return self.call(calls.DISPUTE_SDR, to_mapping(complaint), message_id)

    def answer_dispute(
        self, reply: dispute.Reply, *, message_id: UUID | None = None
    ) -> dispute.AnswerDisputeResponse:
        """Say something in a dispute, on either side."""
        return self.call(calls.ANSWER_DISPUTE, to_mapping(reply), message_id)

    def get_disputes(
        self, *, cursor: str | None = None, limit: int | None = None
    ) -> dispute.GetDisputesResponse:
        """Return our disputes that changed since the cursor."""
        return self.call(calls.GET_DISPUTES, {"cursor": cursor, "limit": limit})

    # settlement

    def get_positions(
        self,
        window_id: int | None = None,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> settlement.GetPositionsResponse:
        """Return our positions in a window; without an id, in the open one."""
        fields = {"windowId": window_id, "cursor": cursor, "limit": limit}
        return self.call(calls.GET_POSITIONS, fields)

    def list_statements(
        self, *, cursor: str | None = None, limit: int | None = None
    ) -> settlement.ListStatementsResponse:
        """Pull the list of our statements."""
        return self.call(calls.LIST_STATEMENTS, {"cursor": cursor, "limit": limit})

    def get_statement(
        self, statement_id: str, form: settlement.StatementFormat = "XML"
    ) -> bytes:
        """Return a whole statement, joined from its parts.

        Raises :class:`ValueError` when its SHA-256 is not the one announced.
        """
        return self._document(
            calls.GET_STATEMENT, {"statementId": statement_id, "format": form}
        )

    def list_invoices(
        self, *, cursor: str | None = None, limit: int | None = None
    ) -> settlement.ListInvoicesResponse:
        """Pull the list of the invoices and credit notes that we sold or bought by."""
        return self.call(calls.LIST_INVOICES, {"cursor": cursor, "limit": limit})

    def get_invoice(
        self, document_number: str, form: settlement.DocumentFormat = "UBL"
    ) -> bytes:
        """Return a whole invoice or credit note, joined from its parts.

        Raises :class:`ValueError` when its SHA-256 is not the one announced.
        """
        return self._document(
            calls.GET_INVOICE, {"documentNumber": document_number, "format": form}
        )

    def _document(
        self,
        operation: Operation[D],
        wanted: dict[str, object],
    ) -> bytes:
        content, part, parts, digest = b"", 1, 1, None
        while part <= parts:
            answer = self.call(operation, {**wanted, "part": part})
            content += answer.content or b""
            parts, digest = answer.parts or 1, answer.digest
            part += 1
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            name = next(iter(wanted.values()))
            raise ValueError(f"document {name} is damaged")
        return content

    def get_proof(
        self, sdr_id: str, submitter_id: str | None = None
    ) -> settlement.GetProofResponse:
        """Fetch the proof that an SDR is in a closed window.

        :func:`clearinghouse.endpoint.proofs.check_proof` checks it.
        """
        body = {"sdrId": sdr_id, "submitterId": submitter_id}
        return self.call(calls.GET_PROOF, body)

    def get_signing_keys(
        self, key_id: str | None = None
    ) -> settlement.GetSigningKeysResponse:
        """Fetch the public keys of the house: the newest ones, or one by its name.

        Whoever answers may lie: compare the first with what the operator says.
        """
        return self.call(calls.GET_SIGNING_KEYS, {"keyId": key_id})

    def _put_list(
        self, operation: Operation[A], element: str, entries: Sequence[object]
    ) -> A:
        """Send a full list in parts; the last part makes it valid."""
        list_id = uuid4()
        parts = max(1, -(-len(entries) // ENTRIES_MAX))
        for part in range(1, parts + 1):
            first = (part - 1) * ENTRIES_MAX
            answer = self.call(
                operation,
                {
                    "expectedCount": len(entries),
                    element: entries[first : first + ENTRIES_MAX],
                    "part": part,
                    "parts": parts,
                    "listId": list_id,
                },
            )
        return answer
