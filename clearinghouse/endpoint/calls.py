"""The clearing house's operations: service, name and the type of the answer."""

from __future__ import annotations

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
from clearinghouse.endpoint.wire import Answer, Operation

LOGIN = Operation("access", "Login", access.LoginResponse, needs_token=False)
RENEW_TOKEN = Operation("access", "RenewToken", access.RenewTokenResponse)
LOGOUT = Operation("access", "Logout", access.LogoutResponse)
HEARTBEAT = Operation("access", "Heartbeat", access.HeartbeatResponse)

GET_PARTICIPANTS = Operation(
    "directory", "GetParticipants", directory.GetParticipantsResponse
)
PUT_ENDPOINTS = Operation("directory", "PutEndpoints", directory.PutEndpointsResponse)

PUT_CREDENTIALS = Operation(
    "credential", "PutCredentials", credential.PutCredentialsResponse
)
UPDATE_CREDENTIALS = Operation(
    "credential", "UpdateCredentials", credential.UpdateCredentialsResponse
)
GET_CREDENTIALS = Operation(
    "credential", "GetCredentials", credential.GetCredentialsResponse
)

AUTHORIZE_START = Operation(
    "authorization", "AuthorizeStart", authorization.AuthorizeStartResponse
)
AUTHORIZE_STOP = Operation(
    "authorization", "AuthorizeStop", authorization.AuthorizeStopResponse
)

START_SESSION = Operation("session", "StartSession", session.StartSessionResponse)
STOP_SESSION = Operation("session", "StopSession", session.StopSessionResponse)
REPORT_SESSION = Operation("session", "ReportSession", session.ReportSessionResponse)
GET_SESSION = Operation("session", "GetSession", session.GetSessionResponse)

PUT_EVSES = Operation("evse", "PutEvses", evse.PutEvsesResponse)
UPDATE_EVSES = Operation("evse", "UpdateEvses", evse.UpdateEvsesResponse)
GET_EVSES = Operation("evse", "GetEvses", evse.GetEvsesResponse)
PUT_STATUS = Operation("evse", "PutStatus", evse.PutStatusResponse)
GET_STATUS = Operation("evse", "GetStatus", evse.GetStatusResponse)

PUT_TARIFFS = Operation("tariff", "PutTariffs", tariff.PutTariffsResponse)
GET_TARIFFS = Operation("tariff", "GetTariffs", tariff.GetTariffsResponse)

SUBMIT_SDRS = Operation("sdr", "SubmitSdrs", sdr.SubmitSdrsResponse)
GET_SDRS = Operation("sdr", "GetSdrs", sdr.GetSdrsResponse)
CONFIRM_SDRS = Operation("sdr", "ConfirmSdrs", sdr.ConfirmSdrsResponse)
GET_SDR_STATUS = Operation("sdr", "GetSdrStatus", sdr.GetSdrStatusResponse)
GET_DIGEST = Operation("sdr", "GetDigest", sdr.GetDigestResponse)
DISPUTE_SDR = Operation("sdr", "DisputeSdr", dispute.DisputeSdrResponse)
ANSWER_DISPUTE = Operation("sdr", "AnswerDispute", dispute.AnswerDisputeResponse)
GET_DISPUTES = Operation("sdr", "GetDisputes", dispute.GetDisputesResponse)

GET_POSITIONS = Operation("settlement", "GetPositions", settlement.GetPositionsResponse)
LIST_STATEMENTS = Operation(
    "settlement", "ListStatements", settlement.ListStatementsResponse
)
GET_STATEMENT = Operation("settlement", "GetStatement", settlement.GetStatementResponse)
GET_PROOF = Operation("settlement", "GetProof", settlement.GetProofResponse)
GET_SIGNING_KEYS = Operation(
    "settlement", "GetSigningKeys", settlement.GetSigningKeysResponse
)
LIST_INVOICES = Operation("settlement", "ListInvoices", settlement.ListInvoicesResponse)
GET_INVOICE = Operation("settlement", "GetInvoice", settlement.GetInvoiceResponse)

OPERATIONS: tuple[Operation[Answer], ...] = (
    LOGIN,
    RENEW_TOKEN,
    LOGOUT,
    HEARTBEAT,
    GET_PARTICIPANTS,
    PUT_ENDPOINTS,
    PUT_CREDENTIALS,
    UPDATE_CREDENTIALS,
    GET_CREDENTIALS,
    AUTHORIZE_START,
    AUTHORIZE_STOP,
    START_SESSION,
    STOP_SESSION,
    REPORT_SESSION,
    GET_SESSION,
    PUT_EVSES,
    UPDATE_EVSES,
    GET_EVSES,
    PUT_STATUS,
    GET_STATUS,
    PUT_TARIFFS,
    GET_TARIFFS,
    SUBMIT_SDRS,
    GET_SDRS,
    CONFIRM_SDRS,
    GET_SDR_STATUS,
    GET_DIGEST,
    DISPUTE_SDR,
    ANSWER_DISPUTE,
    GET_DISPUTES,
    GET_POSITIONS,
    LIST_STATEMENTS,
    GET_STATEMENT,
    GET_PROOF,
    GET_SIGNING_KEYS,
    LIST_INVOICES,
    GET_INVOICE,
)
