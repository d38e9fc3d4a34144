"""A settlement statement as XML after ``xsd/statement.xsd`` (clause 4.3-I3).

The head holds all sums, so that a reader need not go through a million lines for them;
the lines follow one by one, then the digest over them; an enveloped signature ends the
document. All is written in exclusive canonical form, which the signature relies on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from clearinghouse.domain.line_layouts import Layout, Piece, Writing
from clearinghouse.domain.money import currency_of
from clearinghouse.domain.statements import (
    CounterpartyTotal,
    Direction,
    Statement,
)
from clearinghouse.reports.lines import LineText, LineWriter
from clearinghouse.reports.text import AmountText, escape, instant, percent
from clearinghouse.reports.xml_signature import Envelope, Sign

_DECLARATION = b"<?xml version='1.0' encoding='UTF-8'?>\n"
_NAMESPACE = "urn:clearinghouse:iec63119:statement:1"


def _element(field: str, tag: str, writing: Writing = Writing.AS_IS) -> Piece:
    return Piece(field, f"<{tag}>", f"</{tag}>", writing)


def _optional(field: str, tag: str, with_field: str = "") -> Piece:
    """Return an element that is left out where its field, or another, is empty."""
    return _element(field, tag)._replace(only_with=with_field or field)


#: A line from before it was said what an SDR is.
LINE: Layout = (
    Piece("", "<line>"),
    _element("number", "lineNo"),
    _element("role", "role"),
    _element("counterparty", "counterpartyId"),
    _element("submitter_id", "submitterId"),
    _element("sdr_id", "sdrId"),
    _optional("session_id", "sessionId"),
    _element("evse_id", "evseId", Writing.MARKUP),
    _element("started_at", "startedAt"),
    _element("ended_at", "endedAt"),
    _element("energy_wh", "energyWh"),
    _element("charge_seconds", "chargeSeconds"),
    _element("idle_seconds", "idleSeconds"),
    _element("parking_seconds", "parkingSeconds"),
    _element("tariff_id", "tariffId"),
    _element("tariff_version", "tariffVersion"),
    _element("engine_version", "engineVersion"),
    _element("claimed", "claimedNet"),
    _element("net", "net"),
    _optional("rules", "rule")._replace(between="</rule><rule>"),
    _optional("reference", "reference"),
    _optional("vat_category", "vatCategory"),
    _optional("vat_rate", "vatRate", "vat_category"),
    _optional("document", "document"),
)

#: What an SDR is, of which window the one it corrects, and how its session was found.
ORIGIN: Layout = (
    _element("kind", "kind"),
    _optional("reference_window", "referenceWindow"),
    _optional("match_kind", "matchKind"),
)

_END = Piece("", "</line>\n")

#: What the digest of a statement is made from.
PROOF: Layout = (
    Piece("number", after=";"),
    Piece("role", after=";"),
    Piece("counterparty", after=";"),
    Piece("submitter_id", after=";"),
    Piece("sdr_id", after=";"),
    Piece("energy_wh", after=";"),
    Piece("net", after="\n"),
)


class XmlWriter:
    """Writes one statement: head, batches of lines in order, foot."""

    def __init__(self, statement: Statement, sign: Sign | None = None) -> None:
        self._statement = statement
        self._envelope = None if sign is None else Envelope(sign)
        self._amount = AmountText(currency_of(statement.currency))
        self._digest = sha256()
        self._count = 0
        lines = LINE + ORIGIN if statement.layout > 1 else LINE
        self.layouts = ((*lines, _END), PROOF)
        self._writers = [LineWriter(layout) for layout in self.layouts]

    def head(self) -> bytes:
        """Return all that stands before the lines."""
        parts = [
            f'<statement xmlns="{_NAMESPACE}">\n',
            *self._title(),
            *self._positions(),
            *self._sums(),
        ]
        return _DECLARATION + self._signed("".join(parts))

    def _signed(self, text: str) -> bytes:
        """Return a text as bytes, which the signature covers."""
        data = text.encode()
        if self._envelope is not None:
            self._envelope.add(data)
        return data

    def lines(self, batch: Iterable[LineText]) -> bytes:
        """Return the next lines; they enter the digest in order."""
        texts = list(batch)
        return self.written([write(texts) for write in self._writers], len(texts))

    def written(self, texts: Sequence[str], count: int) -> bytes:
        """Return the next lines, which were written after the layouts already."""
        lines, proofs = texts
        self._count += count
        self._digest.update(proofs.encode())
        return self._signed(lines)

    def foot(self) -> bytes:
        """Return all that stands behind the lines, and the signature as the last."""
        digest = self._signed(
            "<digest><algorithm>SHA-256</algorithm>"
            f"<lineCount>{self._count}</lineCount>"
            f"<value>{self._digest.hexdigest()}</value></digest>\n"
        )
        end = self._signed("</statement>")
        signature = b"" if self._envelope is None else self._envelope.signature()
        return digest + signature + end + b"\n"

    def _title(self) -> Iterator[str]:
        statement = self._statement
        yield f"<statementId>{statement.statement_id}</statementId>\n"
        yield f"<windowId>{statement.window_id}</windowId>\n"
        yield f"<windowLabel>{escape(statement.window_label)}</windowLabel>\n"
        yield f"<currency>{statement.currency}</currency>\n"
        yield f"<closedAt>{instant(statement.closed_at)}</closedAt>\n"
        yield (
            f"<issuer><partyId>{statement.issuer_party_id}</partyId>"
            f"<name>{escape(statement.issuer_name)}</name></issuer>\n"
        )
        yield (
            f"<participant><partyId>{statement.party_id}</partyId>"
            f"<name>{escape(statement.participant_name)}</name>"
            f"<country>{statement.participant_country}</country></participant>\n"
        )

    def _positions(self) -> Iterator[str]:
        for position in self._statement.counterparties:
            yield (
                f"<position><counterpartyId>{position.party_id}</counterpartyId>"
                f"<role>{position.direction.value}</role>"
                f"<sdrCount>{position.sdr_count}</sdrCount>"
                f"<energyWh>{position.energy_wh}</energyWh>"
                f"<net>{self._amount(position.net_minor)}</net>"
                f"{''.join(self._taxed(position))}</position>\n"
            )

    def _taxed(self, position: CounterpartyTotal) -> Iterator[str]:
        """Give what a position has since there is VAT: its gross, and its documents."""
        if self._statement.gross_minor is None:
            return
        amount = self._amount
        yield (
            f"<vat>{amount(position.vat_minor)}</vat>"
            f"<gross>{amount(position.gross_minor)}</gross>"
        )
        for share in position.taxed:
            yield (
                f"<taxed><document>{share.document}</document>"
                f"<category>{share.category.value}</category>"
                f"<rate>{percent(share.rate_bp)}</rate>"
                f"<net>{amount(share.net_minor)}</net>"
                f"<vat>{amount(share.vat_minor)}</vat></taxed>"
            )

    def _due(self) -> str:
        statement, amount = self._statement, self._amount
        if statement.gross_minor is None:
            return ""
        receivable_minor = statement.gross_of(Direction.RECEIVABLE)
        payable_minor = statement.gross_of(Direction.PAYABLE)
        return (
            f"<receivableGross>{amount(receivable_minor)}</receivableGross>"
            f"<payableGross>{amount(payable_minor)}</payableGross>"
            f"<gross>{amount(statement.gross_minor)}</gross>"
        )

    def _sums(self) -> Iterator[str]:
        statement, amount = self._statement, self._amount
        yield (
            f"<totals><receivable>{amount(statement.receivable_minor)}</receivable>"
            f"<payable>{amount(statement.payable_minor)}</payable>"
            f"<net>{amount(statement.net_minor)}</net>"
            f"<sdrCount>{statement.line_count}</sdrCount>"
            f"<energyWh>{statement.energy_wh}</energyWh>"
            f"{self._due()}</totals>\n"
        )
        for month in statement.months:
            yield (
                f"<sessionMonth><month>{month.month}</month>"
                f"<sdrCount>{month.sdr_count}</sdrCount>"
                f"<energyWh>{month.energy_wh}</energyWh>"
                f"<net>{amount(month.net_minor)}</net></sessionMonth>\n"
            )
