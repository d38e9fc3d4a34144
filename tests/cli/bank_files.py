"""Statements of a bank as camt.053, written for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001"


class Movement(NamedTuple):
    """One entry with one transaction."""

    reference: str
    end_to_end_id: str
    amount: str = "350.26"
    currency: str = "EUR"
    is_credit: bool = True
    is_return: bool = False
    status: str = "BOOK"
    day: str = "2026-12-02"


def camt053(
    movements: Sequence[Movement], *, version: str = "08", statement_id: str = "S-1"
) -> bytes:
    """Write a file with one statement."""
    entries = "".join(_entry(one, version) for one in movements)
    balance = (
        "<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>"
        '<Amt Ccy="EUR">0</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        "<Dt><Dt>2026-12-02</Dt></Dt></Bal>"
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document xmlns="{SPACE}.{version}">'
        "<BkToCstmrStmt><GrpHdr><MsgId>M-1</MsgId>"
        "<CreDtTm>2026-12-02T20:00:00+01:00</CreDtTm></GrpHdr>"
        f"<Stmt><Id>{statement_id}</Id><CreDtTm>2026-12-02T20:00:00+01:00</CreDtTm>"
        "<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>"
        f"{balance}{entries}</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def _entry(one: Movement, version: str) -> str:
    side = "CRDT" if one.is_credit else "DBIT"
    status = f"<Cd>{one.status}</Cd>" if version >= "07" else one.status
    returned = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>" if one.is_return else ""
    amount = f'<Amt Ccy="{one.currency}">{one.amount}</Amt>'
    own = f"{amount}<CdtDbtInd>{side}</CdtDbtInd>" if version >= "03" else ""
    refs = f"<Refs><EndToEndId>{one.end_to_end_id}</EndToEndId></Refs>"
    return (
        f"<Ntry>{amount}<CdtDbtInd>{side}</CdtDbtInd><Sts>{status}</Sts>"
        f"<BookgDt><Dt>{one.day}</Dt></BookgDt>"
        f"<AcctSvcrRef>{one.reference}</AcctSvcrRef>"
        "<BkTxCd><Prtry><Cd>NTRF</Cd></Prtry></BkTxCd>"
        f"<NtryDtls><TxDtls>{refs}{own}{returned}</TxDtls></NtryDtls></Ntry>"
    )
