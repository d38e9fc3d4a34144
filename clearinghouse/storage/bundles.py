"""What an audit bundle holds of a window, file by file, as lines of text.

Each file is a heading and lines with fields apart by tabs, in an order that does not
hang on the database. Texts are escaped as COPY escapes them; the rows of the SDRs stand
as they are, since their leaves are made of these very bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql
from sqlalchemy import Connection

from clearinghouse.domain.sdr_rows import FIELDS
from clearinghouse.domain.seals import PAIR_FIELDS
from clearinghouse.storage import (
    bundle_disputes,
    bundle_documents,
    bundle_originals,
    bundle_runs,
    bundle_terms,
)
from clearinghouse.storage.bundle_files import BundleFile, copied_lines

# No quote and no delimiter that a row could hold: the row is written as it is.
_ROWS = sql.SQL("""
    COPY (
        SELECT clearing.sdr_row(s, submitter.party_id, csp.party_id, cso.party_id)
        FROM clearing.sdr AS s
        JOIN clearing.participant AS submitter
            ON submitter.participant_id = s.submitter_id
        JOIN clearing.participant AS csp ON csp.participant_id = s.csp_id
        JOIN clearing.participant AS cso ON cso.participant_id = s.cso_id
        WHERE s.window_id = {window_id} ORDER BY s.sdr_no
    ) TO STDOUT (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02', NULL E'\\x03')
""")

_LEAVES = sql.SQL("""
    COPY (
        SELECT s.sdr_no, encode(coalesce(s.leaf, clearing.leaf(clearing.sdr_row(
            s, submitter.party_id, csp.party_id, cso.party_id))), 'hex')
        FROM clearing.sdr AS s
        JOIN clearing.participant AS submitter
            ON submitter.participant_id = s.submitter_id
        JOIN clearing.participant AS csp ON csp.participant_id = s.csp_id
        JOIN clearing.participant AS cso ON cso.participant_id = s.cso_id
        WHERE s.window_id = {window_id} ORDER BY s.sdr_no
    ) TO STDOUT
""")

_EXCLUSIONS = sql.SQL("""
    COPY (
        SELECT e.sdr_no, coalesce(e.successor_window_id::text, ''),
               coalesce(e.successor_sdr_no::text, '')
        FROM clearing.sdr_exclusion AS e WHERE e.window_id = {window_id}
        ORDER BY e.sdr_no
    ) TO STDOUT
""")

_RELEASES = sql.SQL("""
    COPY (
        SELECT e.successor_sdr_no, e.window_id, e.sdr_no
        FROM clearing.sdr_exclusion AS e WHERE e.successor_window_id = {window_id}
        ORDER BY e.successor_sdr_no
    ) TO STDOUT
""")

_BATCHES = sql.SQL("""
    COPY (
        SELECT b.batch_id, p.party_id, b.batch_sequence, encode(b.digest, 'hex'),
               b.accepted, b.held, b.refused, b.duplicates, b.energy_wh,
               to_char(b.received_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               coalesce(encode(b.root, 'hex'), '')
        FROM clearing.sdr_batch AS b
        JOIN clearing.participant AS p ON p.participant_id = b.submitter_id
        WHERE b.window_id = {window_id}
        ORDER BY p.party_id COLLATE "C", b.batch_sequence
    ) TO STDOUT
""")

_TARIFFS = sql.SQL("""
    COPY (
        SELECT t.tariff_version_id, p.party_id, t.tariff_id, t.version, t.currency,
               to_char(t.valid_from AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               coalesce(to_char(t.valid_until AT TIME ZONE 'UTC',
                                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), ''),
               coalesce(t.minimum_u::text, ''), coalesce(t.maximum_u::text, ''),
               t.discount_ppm, t.vat_included::text, t.priced_by, t.components
        FROM clearing.tariff AS t
        JOIN clearing.participant AS p ON p.participant_id = t.cso_id
        WHERE t.tariff_version_id IN (
            SELECT s.tariff_version_id FROM clearing.sdr AS s
            WHERE s.window_id = {window_id})
        ORDER BY t.tariff_version_id
    ) TO STDOUT
""")

_PARTICIPANTS = sql.SQL("""
    COPY (
        SELECT p.party_id, p.country, p.name FROM clearing.participant AS p
        WHERE EXISTS (
            SELECT FROM clearing.statement AS t
            WHERE t.window_id = {window_id} AND t.participant_id = p.participant_id)
        ORDER BY p.party_id COLLATE "C"
    ) TO STDOUT
""")

_PAIRS = sql.SQL("""
    COPY (
        SELECT a.line FROM clearing.audit_pair AS a
        WHERE a.window_id = {window_id} ORDER BY a.place
    ) TO STDOUT (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02', NULL E'\\x03')
""")

_SETTLEMENTS = sql.SQL("""
    COPY (
        SELECT s.currency, s.gross_minor, s.bilateral_minor, s.multilateral_minor,
               s.sdr_count, s.energy_wh
        FROM clearing.settlement AS s WHERE s.window_id = {window_id}
        ORDER BY s.currency
    ) TO STDOUT
""")

_MATRIX = sql.SQL("""
    COPY (
        SELECT s.currency, debtor.party_id, creditor.party_id, p.sdr_count,
               p.energy_wh, p.net_minor, p.vat_minor
        FROM clearing.settlement AS s
        JOIN clearing.settlement_pair AS p USING (settlement_id)
        JOIN clearing.participant AS debtor ON debtor.participant_id = p.debtor_id
        JOIN clearing.participant AS creditor
            ON creditor.participant_id = p.creditor_id
        WHERE s.window_id = {window_id}
        ORDER BY s.currency, debtor.party_id COLLATE "C", creditor.party_id COLLATE "C"
    ) TO STDOUT
""")

_POSITIONS = sql.SQL("""
    COPY (
        SELECT s.currency, p.party_id, q.receivable_minor, q.payable_minor, q.net_minor
        FROM clearing.settlement AS s
        JOIN clearing.settlement_position AS q USING (settlement_id)
        JOIN clearing.participant AS p USING (participant_id)
        WHERE s.window_id = {window_id}
        ORDER BY s.currency, p.party_id COLLATE "C"
    ) TO STDOUT
""")

_POSTINGS = sql.SQL("""
    COPY (
        SELECT p.posting_key, p.debit_account, p.credit_account, p.currency,
               p.amount_minor, p.code
        FROM clearing.posting AS p WHERE p.window_id = {window_id}
          AND p.code IN ('ACCEPT', 'ACCEPT-VAT', 'CLOSE-RECV', 'CLOSE-PAY')
        ORDER BY p.posting_key COLLATE "C"
    ) TO STDOUT
""")

_STATEMENTS = sql.SQL("""
    COPY (
        SELECT t.statement_id, t.currency, p.party_id, t.net_minor, t.line_count,
               encode(xml.digest, 'hex'), encode(csv.digest, 'hex'),
               coalesce(t.gross_minor, t.net_minor)
        FROM clearing.statement AS t
        JOIN clearing.participant AS p USING (participant_id)
        JOIN clearing.statement_rendering AS xml
            ON xml.statement_id = t.statement_id AND xml.format = 'XML'
        JOIN clearing.statement_rendering AS csv
            ON csv.statement_id = t.statement_id AND csv.format = 'CSV'
        WHERE t.window_id = {window_id}
        ORDER BY length(t.statement_id), t.statement_id COLLATE "C"
    ) TO STDOUT
""")

_CHAIN = sql.SQL("""
    COPY (
        SELECT b.seq, b.window_id, w.label, b.key_id, encode(b.signature, 'hex'),
               b.signed_text
        FROM clearing.audit_block AS b
        JOIN clearing.settlement_window AS w USING (window_id)
        WHERE b.seq <= (SELECT own.seq FROM clearing.audit_block AS own
                        WHERE own.window_id = {window_id})
        ORDER BY b.seq
    ) TO STDOUT
""")

_KEYS = sql.SQL("""
    COPY (
        SELECT k.key_id, to_char(k.valid_from AT TIME ZONE 'UTC',
                                 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               encode(k.public_key, 'hex')
        FROM clearing.signing_key AS k
        WHERE EXISTS (SELECT FROM clearing.audit_block AS b
                      WHERE b.key_id = k.key_id AND b.window_id <= {window_id})
        ORDER BY k.valid_from, k.key_id
    ) TO STDOUT
""")

#: The files in the order in which they stand in the bundle.
FILES = (
    BundleFile(
        name="participants.tsv",
        fields=("partyId", "country", "name"),
        query=_PARTICIPANTS,
    ),
    BundleFile(
        name="tariffs.tsv",
        fields=(
            "tariffVersionId",
            "publisherId",
            "tariffId",
            "version",
            "currency",
            "validFrom",
            "validUntil",
            "minimumMicro",
            "maximumMicro",
            "discountPpm",
            "vatIncluded",
            "pricedBy",
            "components",
        ),
        query=_TARIFFS,
    ),
    BundleFile(
        name="batches.tsv",
        fields=(
            "batchId",
            "submitterId",
            "sequence",
            "digest",
            "accepted",
            "held",
            "refused",
            "duplicates",
            "energyWh",
            "receivedAt",
            "root",
        ),
        query=_BATCHES,
    ),
    BundleFile(name="sdrs.tsv", fields=FIELDS, query=_ROWS),
    BundleFile(name="leaves.tsv", fields=("sdrNo", "leaf"), query=_LEAVES),
    BundleFile(
        name="exclusions.tsv",
        fields=("sdrNo", "successorWindowId", "successorSdrNo"),
        query=_EXCLUSIONS,
    ),
    BundleFile(
        name="releases.tsv",
        fields=("sdrNo", "fromWindowId", "fromSdrNo"),
        query=_RELEASES,
    ),
    BundleFile(name="pairs.tsv", fields=PAIR_FIELDS, query=_PAIRS),
    BundleFile(
        name="settlements.tsv",
        fields=(
            "currency",
            "grossMinor",
            "bilateralMinor",
            "multilateralMinor",
            "sdrCount",
            "energyWh",
        ),
        query=_SETTLEMENTS,
    ),
    BundleFile(
        name="matrix.tsv",
        fields=(
            "currency",
            "debtorId",
            "creditorId",
            "sdrCount",
            "energyWh",
            "netMinor",
            "vatMinor",
        ),
        query=_MATRIX,
    ),
    BundleFile(
        name="positions.tsv",
        fields=(
            "currency",
            "partyId",
            "receivableMinor",
            "payableMinor",
            "netMinor",
        ),
        query=_POSITIONS,
    ),
    BundleFile(
        name="postings.tsv",
        fields=(
            "postingKey",
            "debitAccount",
            "creditAccount",
            "currency",
            "amountMinor",
            "code",
        ),
        query=_POSTINGS,
    ),
    BundleFile(
        name="statements.tsv",
        fields=(
            "statementId",
            "currency",
            "partyId",
            "netMinor",
            "lineCount",
            "xmlDigest",
            "csvDigest",
            "grossMinor",
        ),
        query=_STATEMENTS,
    ),
    *bundle_terms.FILES,
    *bundle_disputes.FILES,
    bundle_originals.FILE,
    *bundle_documents.FILES,
    *bundle_runs.FILES,
    BundleFile(
        name="chain.tsv",
        fields=("seq", "windowId", "label", "keyId", "signature", "text"),
        query=_CHAIN,
    ),
    BundleFile(
        name="keys.tsv", fields=("keyId", "validFrom", "publicKey"), query=_KEYS
    ),
)


def lines_of(
    tx: Connection, file: BundleFile, window_id: int, *, house: str
) -> Iterator[str]:
    """Give the lines of a file for a window, without their heading.

    ``house`` is the party id of the clearing house, the seller of its fees.
    """
    if file.query is None:
        return bundle_originals.lines_of(tx, window_id)
    return copied_lines(tx, file.query, window_id, house)
