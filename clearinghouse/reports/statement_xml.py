"""A settlement statement as XML after ``xsd/statement.xsd`` (clause 4.3-I3).

The head holds all sums, so that a reader need not go through a million lines for them;
the lines follow one by one, then the digest over them; an enveloped signature ends the
document. All is written in exclusive canonical form, which the signature relies on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256

from clearinghouse.domain.money import currency_of
from clearinghouse.domain.statements import (
    CounterpartyTotal,
    Direction,
    Statement,
    StatementLine,
)
from clearinghouse.reports.lines import LineNumbers, LineText
from clearinghouse.reports.text import (
    REMEMBERED_MAX,
    AmountText,
    escape,
    instant,
    percent,
)
from clearinghouse.reports.xml_signature import Envelope, Sign

_DECLARATION = b"<?xml version='1.0' encoding='UTF-8'?>\n"
_NAMESPACE = "urn:clearinghouse:iec63119:statement:1"


class XmlWriter:
    """Writes one statement: head, batches of lines in order, foot."""

    def __init__(self, statement: Statement, sign: Sign | None = None) -> None:
        self._statement = statement
        self._envelope = None if sign is None else Envelope(sign)
        self._amount = AmountText(currency_of(statement.currency))
        self._digest = sha256()
        self._count = 0
        self._has_origin = statement.layout > 1

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
        has_origin = self._has_origin
        texts: list[str] = []
        proofs: list[str] = []
        for text in batch:
            line = text.line
            proofs.append(
                f"{text.number};{text.role};{text.counterparty};{line.submitter_id};"
                f"{line.sdr_id};{line.energy_wh};{text.net}\n"
            )
            session = line.session_id and f"<sessionId>{line.session_id}</sessionId>"
            rules = line.rules and _rules(line.rules)
            corrected = line.reference
            reference = corrected and f"<reference>{corrected}</reference>"
            origin = (
                _origin(line.kind, line.match_kind, line.reference_window)
                if has_origin
                else ""
            )
            vat = _vat(line.vat_category, line.vat_rate_bp, line.document)
            texts.append(
                f"<line><lineNo>{text.number}</lineNo><role>{text.role}</role>"
                f"<counterpartyId>{text.counterparty}</counterpartyId>"
                f"<submitterId>{line.submitter_id}</submitterId>"
                f"<sdrId>{line.sdr_id}</sdrId>{session}"
                f"<evseId>{escape(line.evse_id)}</evseId>"
                f"<startedAt>{line.started_at}</startedAt>"
                f"<endedAt>{line.ended_at}</endedAt>"
                f"<energyWh>{line.energy_wh}</energyWh>"
                f"<chargeSeconds>{line.charge_seconds}</chargeSeconds>"
                f"<idleSeconds>{line.idle_seconds}</idleSeconds>"
                f"<parkingSeconds>{line.parking_seconds}</parkingSeconds>"
                f"<tariffId>{line.tariff_id}</tariffId>"
                f"<tariffVersion>{line.tariff_version}</tariffVersion>"
                f"<engineVersion>{line.engine_version}</engineVersion>"
                f"<claimedNet>{text.claimed}</claimedNet>"
                f"<net>{text.net}</net>{rules}{reference}"
                f"{vat}{origin}</line>\n"
            )
        self._count += len(texts)
        self._digest.update("".join(proofs).encode())
        return self._signed("".join(texts))

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


def _rules(rules: str) -> str:
    return "".join([f"<rule>{rule}</rule>" for rule in rules.split()])


@lru_cache(REMEMBERED_MAX)
def _vat(category: str, rate_bp: int, document: str) -> str:
    """Return how a line is taxed; nothing on a line from before there was VAT."""
    if not category:
        return ""
    document = document and f"<document>{document}</document>"
    return (
        f"<vatCategory>{category}</vatCategory>"
        f"<vatRate>{percent(rate_bp)}</vatRate>{document}"
    )


@lru_cache(REMEMBERED_MAX)
def _origin(kind: str, match: str, window: str) -> str:
    """Return what an SDR is, of which window the one it corrects, and its match."""
    corrected = window and f"<referenceWindow>{window}</referenceWindow>"
    found = match and f"<matchKind>{match}</matchKind>"
    return f"<kind>{kind}</kind>{corrected}{found}"


def render(statement: Statement, lines: Iterable[StatementLine]) -> bytes:
    """Return a whole statement; for one that is small enough to hold in memory."""
    writer = XmlWriter(statement)
    texts = LineNumbers(statement).texts(lines)
    return writer.head() + writer.lines(texts) + writer.foot()
