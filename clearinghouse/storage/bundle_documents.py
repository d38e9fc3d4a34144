"""The invoices and credit notes of a window, and what their numbers and days hang on.

With the digests of how they were rendered, those of the fees of its runs as well.
"""

from __future__ import annotations

from psycopg import sql

from clearinghouse.storage.bundle_files import file_of

_DOCUMENTS = sql.SQL("""
    COPY (
        SELECT d.number, d.kind, d.seller_party, d.buyer_party, d.currency,
               EXISTS (SELECT FROM clearing.document_vat AS v
                       WHERE v.number = d.number AND v.category = 'O')::text,
               d.net_minor, d.vat_minor, d.gross_minor,
               to_char(d.issued_at AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               d.due_on
        FROM clearing.document AS d WHERE d.window_id = {window_id}
        ORDER BY d.number COLLATE "C"
    ) TO STDOUT
""")

_LINES = sql.SQL("""
    COPY (
        SELECT l.number, l.category, l.rate_bp, l.place_country, l.rule_id,
               l.sdr_count, l.energy_wh, l.net_minor
        FROM clearing.document_line AS l
        JOIN clearing.document AS d USING (number)
        WHERE d.window_id = {window_id}
        ORDER BY l.number COLLATE "C", l.line_no
    ) TO STDOUT
""")

_VAT = sql.SQL("""
    COPY (
        SELECT v.number, v.category, v.rate_bp, v.rule_id, v.reason_code, v.sdr_count,
               v.energy_wh, v.base_minor, v.vat_minor
        FROM clearing.document_vat AS v
        JOIN clearing.document AS d USING (number)
        WHERE d.window_id = {window_id}
        ORDER BY v.number COLLATE "C", v.category COLLATE "C", v.rate_bp
    ) TO STDOUT
""")

_RENDERINGS = sql.SQL("""
    COPY (
        SELECT r.number, r.format, encode(r.digest, 'hex')
        FROM clearing.document_rendering AS r
        WHERE r.number IN (
            SELECT d.number FROM clearing.document AS d
            WHERE d.window_id = {window_id}
            UNION ALL
            SELECT f.number FROM clearing.fee_document AS f WHERE f.run_id IN ({runs}))
        ORDER BY r.number COLLATE "C", r.format COLLATE "C"
    ) TO STDOUT
""")

# Each series that the window or a run of it gave a number from, and how many numbers it
# had given before the first of these.
_SERIES = sql.SQL("""
    COPY (
        SELECT mine.series, (
            SELECT count(*) FROM clearing.document AS d
            WHERE d.series = mine.series AND d.window_id < {window_id})
        FROM (SELECT DISTINCT d.series FROM clearing.document AS d
              WHERE d.window_id = {window_id}) AS mine
        UNION ALL
        SELECT mine.series, (
            SELECT count(*) FROM clearing.statement AS t
            WHERE t.window_id < {window_id} AND left(t.statement_id, 7) = mine.series)
        FROM (SELECT DISTINCT left(t.statement_id, 7) AS series
              FROM clearing.statement AS t WHERE t.window_id = {window_id}) AS mine
        ORDER BY 1
    ) TO STDOUT
""")

# The versions of the agreements that say by when an invoice is due; a minute more than
# the close, since one may have been concluded while it went on.
_TERMS = sql.SQL("""
    COPY (
        SELECT a.version, d.seller_party, d.buyer_party, a.currency,
               to_char(a.valid_from AT TIME ZONE 'UTC',
                       'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               a.payment_days,
               coalesce(to_char(a.concluded_at AT TIME ZONE 'UTC',
                                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '')
        FROM (SELECT DISTINCT seller_id, seller_party, buyer_id, buyer_party, currency
              FROM clearing.document WHERE window_id = {window_id}) AS d
        JOIN clearing.agreement AS a ON a.visited_id = d.seller_id
            AND a.home_id = d.buyer_id AND a.currency = d.currency
        JOIN clearing.settlement_window AS w ON w.window_id = {window_id}
        WHERE a.valid_from <= w.closed_at
          AND coalesce(a.concluded_at <= w.closed_at + INTERVAL '1 minute', true)
        ORDER BY d.seller_party COLLATE "C", d.buyer_party COLLATE "C", a.currency,
                 a.version
    ) TO STDOUT
""")

_REFERENCES = sql.SQL("""
    COPY (
        SELECT r.number, r.preceding
        FROM clearing.document_reference AS r
        JOIN clearing.document AS d USING (number)
        WHERE d.window_id = {window_id}
        ORDER BY r.number COLLATE "C", r.preceding COLLATE "C"
    ) TO STDOUT
""")

# What earlier invoices stand on, of the windows that credits of this one go back to.
_EARLIER = sql.SQL("""
    COPY (
        SELECT d.number, d.window_id, d.seller_party, d.buyer_party, d.currency,
               v.category, v.rate_bp
        FROM clearing.document AS d JOIN clearing.document_vat AS v USING (number)
        WHERE d.kind = '380' AND (d.window_id, d.seller_id, d.buyer_id) IN (
            SELECT s.ref_window_id, s.submitter_id, s.csp_id FROM clearing.sdr AS s
            WHERE s.window_id = {window_id} AND s.kind = 'CREDIT'
              AND s.ref_window_id <> s.window_id)
        ORDER BY d.number COLLATE "C", v.category COLLATE "C", v.rate_bp
    ) TO STDOUT
""")

#: The files of this kind in the order in which they stand in the bundle.
FILES = (
    file_of("series.tsv", "series numbersBefore", _SERIES),
    file_of(
        "documents.tsv",
        "number kind sellerId buyerId currency isOutside netMinor vatMinor grossMinor"
        " issuedAt dueOn",
        _DOCUMENTS,
    ),
    file_of(
        "documentlines.tsv",
        "number category rateBp placeCountry ruleId sdrCount energyWh netMinor",
        _LINES,
    ),
    file_of(
        "documentvat.tsv",
        "number category rateBp ruleId reasonCode sdrCount energyWh baseMinor vatMinor",
        _VAT,
    ),
    file_of("renderings.tsv", "number format sha256", _RENDERINGS),
    file_of(
        "paymentterms.tsv",
        "version sellerId buyerId currency validFrom paymentDays concludedAt",
        _TERMS,
    ),
    file_of("references.tsv", "number preceding", _REFERENCES),
    file_of(
        "earlierinvoices.tsv",
        "number windowId sellerId buyerId currency category rateBp",
        _EARLIER,
    ),
)
