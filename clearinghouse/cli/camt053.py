"""The bank's statement as a file: camt.053 of ISO 20022, versions 02 to 14.

Banks follow the standard loosely, and its schemas may not be handed on with the house:
a strict reader of what the reconciliation needs takes their place. It goes through the
hardened parser, finds all faults of a file before it gives up, and takes nothing of a
file that has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation

from lxml import etree

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.domain.money import CURRENCIES, Currency, minor_or_none
from clearinghouse.domain.reconciliation import BankEntry, BankStatement
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.limits import Markup
from clearinghouse.soap.parser import parse

#: Statements of one file, and movements of one statement.
STATEMENTS_MAX = 100
ENTRIES_MAX = 20_000
#: Elements and bytes of one file: a statement of as many entries as there may be, which
#: banks write with 15 to 35 elements each, in 500 to 1,500 bytes.
ELEMENTS_MAX = 40 * ENTRIES_MAX
FILE_BYTES_MAX = 33_554_432
#: An entry has an attribute for each of its amounts; each element has two openings.
ATTRIBUTES_MAX = 8 * ENTRIES_MAX
#: Names and texts of an entry have some signs that are written as references.
REFERENCES_MAX = 8 * ENTRIES_MAX
_MARKUP = Markup(
    openings_max=2 * ELEMENTS_MAX,
    equals_max=ATTRIBUTES_MAX,
    ampersands_max=REFERENCES_MAX,
)
#: Largest amount in minor units: sums stay in 64 bits.
AMOUNT_MINOR_MAX = 10**15
#: Longest reference and end-to-end id; the standard has 35 characters.
REFERENCE_LENGTH_MAX = 100
#: Faults of one file that are told; the first show the pattern.
FAULTS_MAX = 100

_NAMESPACE = re.compile(
    r"urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.(0[2-9]|1[0-4])"
)
_ID = re.compile(r"[^\s].{0,33}[^\s]|[^\s]")
_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,5})?")
_NOT_GIVEN = frozenset({"NOTPROVIDED", "NONREF", "NOT PROVIDED"})
_BOOKED = "BOOK"
_LONGEST = f"at most {REFERENCE_LENGTH_MAX} characters"
#: No bank books in others; those at the ends of the calendar have no instant in UTC.
_YEARS = range(2000, 2100)
_NEVER = datetime.min.replace(tzinfo=UTC)


def read(data: bytes) -> tuple[BankStatement, ...]:
    """Return the statements of a file.

    Raises :class:`ClearingHouseError`: ``BANK_STATEMENT`` with every fault found, each
    with its path; a code of the ``CH.XML`` family for what is no sound XML.
    """
    if len(data) > FILE_BYTES_MAX:
        raise _refused([_fault("", f"at most {FILE_BYTES_MAX} bytes")])
    too_much = [
        _fault("", f"at most {most} {name}")
        for most, name, count in (
            (ELEMENTS_MAX, "elements", data.count(b"<") // 2),
            (ATTRIBUTES_MAX, "attributes", data.count(b"=")),
            (REFERENCES_MAX, "references", data.count(b"&")),
        )
        if count > most
    ]
    if too_much:
        raise _refused(too_much)
    try:
        root = parse(data, _MARKUP)
    except SoapFault as fault:
        raise ClearingHouseError(fault.code, fault.detail) from fault
    return _Reader(root).statements()


class _Reader:
    """Walks one file, notes faults, and gives its statements if there is none."""

    def __init__(self, root: etree._Element) -> None:
        self._root = root
        self._faults: list[Item] = []
        self._space = etree.QName(root).namespace or ""

    def statements(self) -> tuple[BankStatement, ...]:
        """Return all statements, or raise with all faults."""
        is_document = etree.QName(self._root).localname == "Document"
        if not is_document or not _NAMESPACE.fullmatch(self._space):
            raise _refused([_fault("Document", "camt.053.001.02 to camt.053.001.14")])
        found = list(self._all(self._root, "BkToCstmrStmt/Stmt"))
        if not 0 < len(found) <= STATEMENTS_MAX:
            self._note("BkToCstmrStmt/Stmt", f"1 to {STATEMENTS_MAX} statements")
        statements = tuple(
            self._statement(one, f"Stmt[{place}]")
            for place, one in enumerate(found[:STATEMENTS_MAX], 1)
        )
        if self._faults:
            raise _refused(self._faults)
        return statements

    def _statement(self, node: etree._Element, path: str) -> BankStatement:
        statement_id = self._text(node, "Id", path)
        if not _ID.fullmatch(statement_id):
            self._note(f"{path}/Id", "1 to 35 characters")
        nodes = list(self._all(node, "Ntry"))
        if len(nodes) > ENTRIES_MAX:
            self._note(f"{path}/Ntry", f"at most {ENTRIES_MAX} entries")
        entries: list[BankEntry] = []
        for place, entry in enumerate(nodes[:ENTRIES_MAX], 1):
            if len(self._faults) >= FAULTS_MAX:
                break
            entries.extend(self._entry(entry, f"{path}/Ntry[{place}]", place))
        references = [entry.reference for entry in entries]
        if len(set(references)) != len(references):
            self._note(f"{path}/Ntry", "a reference of its own for each entry")
        return BankStatement(
            statement_id=statement_id,
            account=self._first(node, "Acct/Id/IBAN", "Acct/Id/Othr/Id"),
            created_at=self._instant(node, "CreDtTm", path),
            entries=tuple(entries),
        )

    def _entry(
        self, node: etree._Element, path: str, place: int
    ) -> Iterator[BankEntry]:
        if self._first(node, "Sts/Cd", "Sts") != _BOOKED:
            return
        details = list(self._all(node, "NtryDtls/TxDtls"))
        if len(details) > ENTRIES_MAX:
            self._note(f"{path}/NtryDtls", f"at most {ENTRIES_MAX} transactions")
        booked_at = self._booked(node, path)
        reversal = self._first(node, "RvslInd") in {"true", "1"}
        base = self._first(node, "AcctSvcrRef", "NtryRef") or str(place)
        if len(base) > REFERENCE_LENGTH_MAX:
            self._note(f"{path}/AcctSvcrRef", _LONGEST)
        total, currency = self._amount(node, ("Amt",), path)
        parts: list[int] = []
        for number, detail in enumerate(details[:ENTRIES_MAX] or [node], 1):
            several = len(details) > 1
            where = f"{path}/NtryDtls/TxDtls[{number}]" if details else path
            amount, unit = total, currency
            if several:
                places = ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt")
                amount, unit = self._amount(detail, places, where)
            parts.append(amount)
            if not amount:
                continue
            yield BankEntry(
                reference=f"{base}.{number}" if several else base,
                end_to_end_id=self._end_to_end_id(detail, where),
                currency=unit,
                amount_minor=amount,
                is_credit=self._is_credit(detail, node, where),
                is_return=reversal or self._one(detail, "RtrInf") is not None,
                booked_at=booked_at,
            )
        if sum(parts) != total:
            self._note(f"{path}/Amt", "the sum of its transactions")

    def _end_to_end_id(self, node: etree._Element, path: str) -> str:
        found = self._first(node, "Refs/EndToEndId")
        if len(found) > REFERENCE_LENGTH_MAX:
            self._note(f"{path}/Refs/EndToEndId", _LONGEST)
        return "" if found.upper() in _NOT_GIVEN else found

    def _is_credit(
        self, node: etree._Element, entry: etree._Element, path: str
    ) -> bool:
        word = self._first(node, "CdtDbtInd") or self._first(entry, "CdtDbtInd")
        if word not in {"CRDT", "DBIT"}:
            self._note(f"{path}/CdtDbtInd", "CRDT or DBIT")
        return word == "CRDT"

    def _amount(
        self, node: etree._Element, places: tuple[str, ...], path: str
    ) -> tuple[int, str]:
        """Return minor units and currency; notes a fault where there is no such."""
        found = next(
            (one for name in places if (one := self._one(node, name)) is not None), None
        )
        currency = CURRENCIES.get(found.get("Ccy", "") if found is not None else "")
        if found is None or currency is None:
            self._note(f"{path}/Amt", "an amount in a currency of ISO 4217")
            return 0, ""
        minor = _minor((found.text or "").strip(), currency)
        if minor is None:
            self._note(f"{path}/Amt", f"at most {currency.exponent} decimals")
        elif minor > AMOUNT_MINOR_MAX:
            self._note(f"{path}/Amt", f"at most {AMOUNT_MINOR_MAX} minor units")
        return minor or 0, currency.code

    def _booked(self, node: etree._Element, path: str) -> datetime:
        day = self._first(node, "BookgDt/Dt")
        if not day:
            return self._instant(node, "BookgDt/DtTm", path)
        try:
            found = datetime.combine(date.fromisoformat(day[:10]), time(), tzinfo=UTC)
        except ValueError:
            found = _NEVER
        if found.year not in _YEARS:
            self._note(f"{path}/BookgDt/Dt", "a day, as 2026-11-30")
        return found

    def _instant(self, node: etree._Element, name: str, path: str) -> datetime:
        """Return an instant; a bank that names no zone is taken to mean UTC."""
        try:
            found = datetime.fromisoformat(self._first(node, name))
        except ValueError:
            found = _NEVER
        if found.year not in _YEARS:
            self._note(f"{path}/{name}", "an instant, as 2026-11-30T18:00:00+01:00")
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def _text(self, node: etree._Element, name: str, path: str) -> str:
        found = self._first(node, name)
        if not found:
            self._note(f"{path}/{name}", "a text")
        return found

    def _first(self, node: etree._Element, *names: str) -> str:
        for name in names:
            found = self._one(node, name)
            if found is not None and found.text and found.text.strip():
                return found.text.strip()
        return ""

    def _one(self, node: etree._Element, name: str) -> etree._Element | None:
        return next(self._all(node, name), None)

    def _all(self, node: etree._Element, name: str) -> Iterator[etree._Element]:
        path = "/".join(f"{{{self._space}}}{part}" for part in name.split("/"))
        return node.iterfind(path)

    def _note(self, path: str, expected: str) -> None:
        self._faults.append(_fault(path, expected))


def _minor(text: str, currency: Currency) -> int | None:
    """Return an amount in minor units; trailing zeros may be more than it has."""
    if not _AMOUNT.fullmatch(text):
        return None
    try:
        return minor_or_none(Decimal(text), currency)
    except InvalidOperation:
        return None


def _fault(path: str, expected: str) -> Item:
    return Item(code=codes.BANK_STATEMENT, path=path, expected=expected)


def _refused(faults: list[Item]) -> ClearingHouseError:
    told = tuple(faults[:FAULTS_MAX])
    return ClearingHouseError(
        codes.BANK_STATEMENT, f"{len(faults)} faults, nothing was taken in", told
    )
