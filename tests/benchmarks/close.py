"""Closing a window of a million SDRs: cutover, claim, proof, netting, books, documents.

The rows are made by the database itself and look like those of intake: a hundred
submitters, a hundred home CSPs, batches of a thousand.
"""

from __future__ import annotations

import json as json_text
import os
import time
from datetime import datetime

from sqlalchemy import Connection, text

from clearinghouse.domain.exchange import Role
from clearinghouse.services import settlement
from clearinghouse.services.environment import Environment
from clearinghouse.storage import participants
from clearinghouse.storage.participants import NewParticipant
from tests.benchmarks._database import Stopwatch, fresh_environment
from tests.benchmarks._figures import Figure
from tests.benchmarks._month import Month

NAME = "close"
DESCRIPTION = "close a window of a million SDRs (CLOSE_SDRS=n for another number)"

SDRS = 1_000_000
#: Seconds that a million SDRs may take, and ten million.
TARGET_SECONDS = (5, 30)
_MILLION = 1_000_000
SUBMITTERS = 100
CSPS = 100
BATCH = 1_000
#: Rows of one INSERT: the statement's budget is bounded.
_ROWS = 100_000
_INSTANT = "2026-01-01T00:00:00+00:00"

_TARIFFS = text("""
    INSERT INTO clearing.tariff (cso_id, tariff_id, version, currency, valid_from,
        components, digest, created_at)
    SELECT n, 'T-1', 1, 'EUR', now() - interval '1 year', '[]', sha256('x'), now()
    FROM generate_series(1, :submitters) AS n
""")

_SDRS = text("""
    INSERT INTO clearing.sdr (window_id, sdr_no, submitter_id, sdr_uid, csp_id, cso_id,
        batch_id, record_no, status, session_id, evse_key, started_at, ended_at,
        start_offset_minutes, energy_wh, charge_seconds, idle_seconds, parking_seconds,
        tariff_version_id, engine_version, currency, net_minor, claimed_minor,
        rule_codes, content_digest, detail, received_at, change_id)
    SELECT :window_id, n, s.submitter_id, 'SDR-' || n, :submitters + 1 + n * 7 % :csps,
        s.submitter_id, s.batch_id, n % :batch, 'ACCEPTED', gen_random_uuid(),
        'DEBENE' || n % 5000, now() - n % 2000000 * interval '1 second',
        now() - n % 2000000 * interval '1 second' + interval '40 minutes', 0,
        10000 + n % 30000, 2400, 0, 0, s.submitter_id, 1, 'EUR', 500 + n % 1500,
        500 + n % 1500, '', sha256(n::text::bytea),
        CAST(:detail AS jsonb), now(), n
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
    CROSS JOIN LATERAL (
        SELECT 1 + (n / :batch) % :submitters AS submitter_id,
               md5((n / :batch)::text)::uuid AS batch_id) AS s
""")

#: What else an SDR of intake holds: one charging session with one transaction.
_DETAIL = json_text.dumps(
    {
        "evse": "DE*BEN*E000001",
        "partner": None,
        "credential": None,
        "contract": None,
        "end_offset": 0,
        "sessions": [
            ["1", _INSTANT, _INSTANT, [["1", _INSTANT, _INSTANT, 23456, 0, 23456]]]
        ],
    }
)

_BATCHES = text("""
    INSERT INTO clearing.sdr_batch (batch_id, submitter_id, batch_sequence, message_id,
        digest, window_id, accepted, held, refused, duplicates, energy_wh, received_at)
    SELECT batch_id, min(submitter_id), min(sdr_no) + 1, batch_id, sha256('x'),
           :window_id, count(*), 0, 0, 0, sum(energy_wh), now()
    FROM clearing.sdr WHERE window_id = :window_id GROUP BY batch_id
""")

_TOTALS = text("""
    INSERT INTO clearing.batch_total (window_id, batch_id, csp_id, submitter_id,
        currency, sdr_count, energy_wh, net_minor)
    SELECT :window_id, batch_id, csp_id, submitter_id, currency, count(*),
           sum(energy_wh), sum(net_minor)
    FROM clearing.sdr WHERE window_id = :window_id
    GROUP BY batch_id, csp_id, submitter_id, currency
""")


def of_month(made: Month) -> Figure:
    """Close the month that intake filled."""
    watch = Stopwatch()
    made.close()
    watch.stop()
    _require_proved(made.env, made.window_id)
    return _figure(made.sdrs, made.seconds["close"], watch)


def of_rows(number: int) -> Figure:
    """Close a window whose rows the database made: more than can be sent in minutes."""
    with fresh_environment() as env:
        window = settlement.ensure_window(env, "2026-11")
        _fill(env, window.window_id, number)
        watch = Stopwatch()
        began = time.perf_counter()
        settlement.close_window(env, next_label="2026-12")
        seconds = time.perf_counter() - began
        watch.stop()
        _require_proved(env, window.window_id)
        return _figure(number, seconds, watch)


def _figure(number: int, seconds: float, watch: Stopwatch) -> Figure:
    return Figure(
        name=f"close, {number} SDRs",
        reached=seconds,
        target=TARGET_SECONDS[number > _MILLION],
        unit="s",
        where=tuple(watch.lines()),
    )


def _require_proved(env: Environment, window_id: int) -> None:
    if settlement.prove(env, window_id):
        raise SystemExit("claim and proof differ")


def _fill(env: Environment, window_id: int, number: int) -> None:
    began = time.perf_counter()
    with env.database.begin("closing") as tx:
        _admit(tx, at=env.clock.now())
        tx.execute(_TARIFFS, {"submitters": SUBMITTERS})
    for first in range(0, number, _ROWS):
        with env.database.begin("closing") as tx:
            last = min(first + _ROWS, number) - 1
            place = {"first": first, "last": last, "window_id": window_id}
            kinds = {
                "submitters": SUBMITTERS,
                "csps": CSPS,
                "batch": BATCH,
                "detail": _DETAIL,
            }
            tx.execute(_SDRS, place | kinds)
    with env.database.begin("closing") as tx:
        tx.execute(_BATCHES, {"window_id": window_id})
        tx.execute(_TOTALS, {"window_id": window_id})
    print(f"filled with {number} SDRs in {time.perf_counter() - began:.0f} s")


def _admit(tx: Connection, *, at: datetime) -> None:
    for number in range(SUBMITTERS + CSPS):
        role = Role.CSO if number < SUBMITTERS else Role.CSP
        new = NewParticipant(
            party_id=f"DE{number:03d}",
            name=f"Partner {number}",
            roles=frozenset({role}),
            country="DE",
        )
        participants.admit(tx, new, at=at)


def main(json: bool) -> None:  # noqa: FBT001  the shape all benchmarks share
    """Measure and print; the last line is the figure."""
    figure = of_rows(int(os.environ.get("CLOSE_SDRS", SDRS)))
    if json:
        print(json_text.dumps({"close_seconds": figure.reached}))
        return
    print("\n".join(figure.where))
    figure.show()
