"""Service settlement: positions, and statements of closed windows (4.3-I3)."""

from __future__ import annotations

from collections.abc import Mapping

from clearinghouse.domain.money import currency_of, minor_to_decimal
from clearinghouse.domain.proofs import Place
from clearinghouse.domain.settlement import WindowState
from clearinghouse.facades.iec63119 import pages, results
from clearinghouse.facades.iec63119.operations import Desk, OperationSpec, sender_of
from clearinghouse.facades.iec63119.vocabulary import (
    DOCUMENT_FORMAT,
    STATEMENT_FORMAT,
    WINDOW_STATE,
)
from clearinghouse.services import (
    invoices,
    position_pages,
    proofs,
    signing_keys,
    statements,
)
from clearinghouse.services.outcomes import Done
from clearinghouse.services.settlement import CounterpartyPosition
from clearinghouse.soap.binding import Record
from clearinghouse.soap.operations import Call
from clearinghouse.storage.invoices import Issued as IssuedInvoice
from clearinghouse.storage.statements import Issued

#: Statements of one page when the request names no limit, as the schema says.
PAGE_LIMIT_DEFAULT = 200

#: The first part of a document, when the request names none.
_FIRST_PART = 1


def _get_positions(desk: Desk, call: Call) -> bytes:
    page = position_pages.positions_page(
        desk.env,
        sender_of(call),
        call.body.window_id,
        cursor=call.body.cursor,
        limit=call.body.limit or position_pages.PAGE_MAX,
    )
    found = page.found
    # A window that failed its proof is still being closed, to a partner.
    state = found.window.state
    shown = WindowState.CUTOVER if state is WindowState.FAILED else state
    return results.answer(
        desk.bindings,
        call,
        Done(),
        window_id=found.window.window_id,
        window_label=found.window.label,
        window_state=WINDOW_STATE.write(shown),
        position=[_position(desk, one) for one in found.positions],
        net=_amounts(desk, found.net),
        gross=_amounts(desk, found.gross),
        **pages.tail(page),
    )


def _amounts(desk: Desk, amounts: Mapping[str, int]) -> list[Record]:
    return [
        desk.bindings.new(
            "common:CurrencyAmount",
            currency=currency,
            amount=minor_to_decimal(amount_minor, currency_of(currency)),
        )
        for currency, amount_minor in amounts.items()
    ]


def _position(desk: Desk, position: CounterpartyPosition) -> Record:
    currency = currency_of(position.currency)
    return desk.bindings.new(
        "settlement:Position",
        currency=position.currency,
        counterparty_id=position.counterparty,
        receivable=minor_to_decimal(position.receivable_minor, currency),
        payable=minor_to_decimal(position.payable_minor, currency),
        sdr_count=position.sdr_count,
        energy_wh=position.energy_wh,
        receivable_gross=minor_to_decimal(position.receivable_gross_minor, currency),
        payable_gross=minor_to_decimal(position.payable_gross_minor, currency),
    )


def _list_statements(desk: Desk, call: Call) -> bytes:
    page = statements.list_statements(
        desk.env,
        sender_of(call),
        cursor=call.body.cursor,
        limit=call.body.limit or PAGE_LIMIT_DEFAULT,
    )
    return pages.answer(desk, call, page, name="statement", listed=_entry)


def _entry(desk: Desk, issued: Issued) -> Record:
    currency, gross_minor = currency_of(issued.currency), issued.gross_minor
    return desk.bindings.new(
        "settlement:StatementEntry",
        statement_id=issued.statement_id,
        window_id=issued.window_id,
        window_label=issued.window_label,
        currency=issued.currency,
        closed_at=issued.closed_at,
        net=minor_to_decimal(issued.net_minor, currency),
        gross=None if gross_minor is None else minor_to_decimal(gross_minor, currency),
        digest=issued.digest.hex(),
        lines=issued.line_count,
    )


def _get_statement(desk: Desk, call: Call) -> bytes:
    part = statements.get_statement(
        desk.env,
        sender_of(call),
        call.body.statement_id,
        fmt=STATEMENT_FORMAT.read(call.body.format),
        part=call.body.part or _FIRST_PART,
    )
    return results.answer(
        desk.bindings,
        call,
        Done(),
        statement_id=part.statement_id,
        format=STATEMENT_FORMAT.write(part.format),
        part=part.part,
        parts=part.parts,
        digest=part.digest.hex(),
        content=part.content,
    )


def _get_proof(desk: Desk, call: Call) -> bytes:
    proof = proofs.get_proof(
        desk.env,
        sender_of(call),
        call.body.sdr_id,
        submitter_party=call.body.submitter_id,
    )
    return results.answer(
        desk.bindings,
        call,
        Done(),
        window_id=proof.window_id,
        window_label=proof.window_label,
        row=proof.row.encode(),
        in_pair=_place(desk, proof.in_pair),
        pair_row=proof.pair_row.encode(),
        in_window=_place(desk, proof.in_window),
        block=proof.block.encode(),
        key_id=proof.key_id,
        signature=proof.signature,
        public_key=proof.public_key,
    )


def _get_signing_keys(desk: Desk, call: Call) -> bytes:
    found = signing_keys.signing_keys(desk.env, call.body.key_id)
    return results.answer(
        desk.bindings,
        call,
        Done(),
        key=[
            desk.bindings.new("settlement:SigningKey", **one._asdict()) for one in found
        ],
    )


def _place(desk: Desk, place: Place) -> Record:
    return desk.bindings.new(
        "settlement:TreePlace",
        index=place.index,
        size=place.size,
        hash=[one.hex() for one in place.path],
    )


def _list_invoices(desk: Desk, call: Call) -> bytes:
    page = invoices.list_invoices(
        desk.env,
        sender_of(call),
        cursor=call.body.cursor,
        limit=call.body.limit or PAGE_LIMIT_DEFAULT,
    )
    return pages.answer(desk, call, page, name="invoice", listed=_invoice)


def _invoice(desk: Desk, issued: IssuedInvoice) -> Record:
    found = issued.document
    currency = currency_of(found.currency)
    return desk.bindings.new(
        "settlement:InvoiceEntry",
        document_number=found.number,
        kind=found.kind.name,
        window_id=found.window_id,
        seller_id=found.seller,
        buyer_id=found.buyer,
        currency=found.currency,
        net=minor_to_decimal(found.net_minor, currency),
        vat=minor_to_decimal(found.vat_minor, currency),
        gross=minor_to_decimal(found.gross_minor, currency),
        booked_at=found.booked_at,
        form=[
            desk.bindings.new(
                "settlement:DocumentDigest",
                format=DOCUMENT_FORMAT.write(fmt),
                digest=digest.hex(),
            )
            for fmt, digest in issued.digests
        ],
        run_id=found.run_id,
    )


def _get_invoice(desk: Desk, call: Call) -> bytes:
    part = invoices.get_invoice(
        desk.env,
        sender_of(call),
        call.body.document_number,
        fmt=DOCUMENT_FORMAT.read(call.body.format),
        part=call.body.part or _FIRST_PART,
    )
    return results.answer(
        desk.bindings,
        call,
        Done(),
        document_number=part.number,
        format=DOCUMENT_FORMAT.write(part.format),
        part=part.part,
        parts=part.parts,
        digest=part.digest.hex(),
        content=part.content,
    )


OPERATIONS = (
    OperationSpec(
        service="settlement", name="GetPositions", handle=_get_positions, changes=False
    ),
    OperationSpec(
        service="settlement",
        name="ListStatements",
        handle=_list_statements,
        changes=False,
    ),
    OperationSpec(
        service="settlement", name="GetStatement", handle=_get_statement, changes=False
    ),
    OperationSpec(
        service="settlement", name="GetProof", handle=_get_proof, changes=False
    ),
    OperationSpec(
        service="settlement",
        name="GetSigningKeys",
        handle=_get_signing_keys,
        changes=False,
    ),
    OperationSpec(
        service="settlement", name="ListInvoices", handle=_list_invoices, changes=False
    ),
    OperationSpec(
        service="settlement", name="GetInvoice", handle=_get_invoice, changes=False
    ),
)
