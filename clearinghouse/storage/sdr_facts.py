"""What is known when SDRs are judged: one query for all records of a chunk.

Each function takes the keys of a thousand records and answers with a map; what is not
in the map is not known. Nothing here is asked record by record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from clearinghouse.domain.credentials import CredentialStatus
from clearinghouse.domain.sdr_facts import EvseFacts, Neighbour, SessionFacts
from clearinghouse.domain.sessions import SessionState

#: Longest SDR that an overlap is looked for with: 48 h, as in rule S-204.
OVERLAP_HOURS = 48

#: SDRs on an EVSE, or of a subject, that one is compared with: the nearest in time. It
#: stops a batch on one EVSE at one instant from costing the square of its size.
NEAREST_MAX = 8

#: SDRs of one EVSE that its mean is taken from (S-209): the newest ones.
MEAN_SAMPLE_MAX = 50

_KNOWN = text("""
    SELECT uid_hash, content_digest, window_id, sdr_no FROM clearing.sdr_key
    WHERE submitter_id = :submitter_id AND uid_hash = ANY (CAST(:hashes AS bytea[]))
""")

_SENT = text("""
    SELECT s.window_id, s.sdr_no, (s.detail ->> 'credential')::bigint AS credential,
           (s.detail ->> 'contract')::bigint AS contract
    FROM unnest(CAST(:windows AS integer[]), CAST(:numbers AS bigint[]))
         AS q (window_id, sdr_no)
    JOIN clearing.sdr AS s USING (window_id, sdr_no)
""")

_EVSES = text("""
    SELECT evse_key, cso_id, coalesce(power_w, 0), time_zone,
           (latitude * 1000000)::bigint, (longitude * 1000000)::bigint,
           meter_public_key,
           ARRAY(SELECT c ->> 'kind' FROM jsonb_array_elements(connectors) AS c),
           country
    FROM clearing.evse
    WHERE evse_key = ANY (CAST(:keys AS text[])) AND NOT removed
""")

# LIMIT keeps the planner at the index: it knows not how few of all sessions are asked
# for, and would read the whole table.
_SESSIONS = text("""
    SELECT q.place, s.state, s.visited_id, s.home_id, s.evse_key, s.subject_id
    FROM unnest(CAST(:places AS integer[]), CAST(:ids AS uuid[])) AS q (place, id)
    CROSS JOIN LATERAL (
        SELECT * FROM clearing.session WHERE session_id = q.id LIMIT 1
    ) AS s
""")

_PARTNER_IDS = text("""
    SELECT value, session_id FROM clearing.session_partner_id
    WHERE participant_id = :participant_id AND value = ANY (CAST(:ids AS text[]))
""")

# Rule 3 of matching: EVSE, credential and nearly the same start (a term); a session
# that has its SDR already comes last.
_FITTING = text("""
    SELECT DISTINCT ON (q.place) q.place, s.session_id, s.state, s.visited_id,
           s.home_id, s.evse_key, s.subject_id
    FROM unnest(CAST(:places AS integer[]), CAST(:keys AS text[]),
                CAST(:subjects AS bigint[]), CAST(:starts AS timestamptz[]),
                CAST(:csos AS integer[]), CAST(:reaches AS integer[]))
         AS q (place, evse_key, subject_id, started_at, cso_id, reach)
    JOIN clearing.session AS s ON s.evse_key = q.evse_key
        AND s.visited_id IN (q.cso_id, :submitter_id)
        AND s.created_at BETWEEN q.started_at - make_interval(secs => q.reach)
                             AND q.started_at + make_interval(secs => q.reach)
        AND (s.subject_id = q.subject_id
             -- A card was shown, and the SDR names the contract behind it.
             OR EXISTS (SELECT FROM clearing.credential AS c
                        WHERE c.subject_id = s.subject_id
                          AND c.contract_subject_id = q.subject_id))
    ORDER BY q.place, s.state = 'SDR_RECEIVED',
             abs(extract(epoch FROM s.created_at - q.started_at))
""")

# Rejections are few, and an EVSE has not many SDRs: no index by session is needed.
_WAITING = text("""
    SELECT DISTINCT x.session_id FROM clearing.sdr_exclusion AS x
    JOIN clearing.session AS q USING (session_id)
    WHERE x.session_id = ANY (CAST(:ids AS uuid[])) AND NOT EXISTS (
        SELECT FROM clearing.sdr AS s
        WHERE s.evse_key = q.evse_key AND s.session_id = q.session_id
          AND (s.submitter_id = :submitter_id OR s.status = 'ACCEPTED')
          AND NOT EXISTS (
            SELECT FROM clearing.sdr_exclusion AS e
            WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no))
""")

# An SDR that started later than a window was cut over is not in it.
_WINDOWS = text("""
    SELECT window_id FROM clearing.settlement_window
    WHERE cutover_at IS NULL OR cutover_at > :since
""")

# Who overlaps began before this one ended, and is among the last who did: those further
# back either end before it or overlap the ones between, which were stopped for that.
# Only the same CSO's count, and of another submitter only what is accepted: a record
# that is held must not hold those of whom it names.
_ON_EVSE = text("""
    SELECT q.place, s.submitter_id, s.sdr_uid, s.evse_key, s.started_at, s.ended_at,
           CAST(NULL AS bigint), CAST(NULL AS bigint),
           s.energy_wh, s.csp_id, s.subject_id
    FROM unnest(CAST(:places AS integer[]), CAST(:keys AS text[]),
                CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]),
                CAST(:csos AS integer[]))
         AS q (place, evse_key, started_at, ended_at, cso_id)
    CROSS JOIN LATERAL (
        SELECT submitter_id, sdr_uid, evse_key, started_at, ended_at, window_id, sdr_no,
               energy_wh, csp_id, subject_id
        FROM clearing.sdr
        WHERE window_id = ANY (CAST(:windows AS integer[]))
          AND kind <> 'CREDIT' AND evse_key = q.evse_key
          AND started_at < q.ended_at + make_interval(secs => :near_seconds)
          AND cso_id = q.cso_id
          AND (submitter_id = :submitter_id OR status = 'ACCEPTED')
          AND started_at > q.started_at - make_interval(hours => :hours)
        ORDER BY started_at DESC LIMIT :nearest
    ) AS s
    WHERE s.ended_at > q.started_at - make_interval(secs => :near_seconds)
      AND NOT EXISTS (
        SELECT FROM clearing.sdr_exclusion AS e
        WHERE e.window_id = s.window_id AND e.sdr_no = s.sdr_no)
      -- What is corrected took no time: its replacement stands here.
      AND NOT clearing.is_corrected(s.window_id, s.sdr_no)
""")

# The nearest before and the nearest after: whoever travels too fast does so between two
# sessions that follow each other.
_OF_SUBJECT = text("""
    SELECT q.place, s.submitter_id, s.sdr_uid, s.evse_key, s.started_at, s.ended_at,
           (e.latitude * 1000000)::bigint, (e.longitude * 1000000)::bigint
    FROM unnest(CAST(:places AS integer[]), CAST(:subjects AS bigint[]),
                CAST(:keys AS text[]), CAST(:starts AS timestamptz[]),
                CAST(:ends AS timestamptz[]))
         AS q (place, subject_id, evse_key, started_at, ended_at)
    CROSS JOIN LATERAL (
        (SELECT submitter_id, sdr_uid, evse_key, started_at, ended_at, window_id,
                sdr_no
         FROM clearing.sdr
         WHERE window_id = ANY (CAST(:windows AS integer[]))
           AND kind <> 'CREDIT'
           AND subject_id = q.subject_id AND started_at < q.ended_at
           AND (submitter_id = :submitter_id OR status = 'ACCEPTED')
           AND started_at > q.started_at - make_interval(hours => :hours)
         ORDER BY started_at DESC LIMIT :nearest)
        UNION ALL
        (SELECT submitter_id, sdr_uid, evse_key, started_at, ended_at, window_id,
                sdr_no
         FROM clearing.sdr
         WHERE window_id = ANY (CAST(:windows AS integer[]))
           AND kind <> 'CREDIT'
           AND subject_id = q.subject_id AND started_at >= q.ended_at
           AND (submitter_id = :submitter_id OR status = 'ACCEPTED')
           AND started_at < q.ended_at + make_interval(hours => :hours)
         ORDER BY started_at LIMIT :nearest)
    ) AS s
    JOIN clearing.evse AS e ON e.evse_key = s.evse_key AND e.latitude IS NOT NULL
    WHERE s.evse_key <> q.evse_key
      AND NOT clearing.is_corrected(s.window_id, s.sdr_no)
""")

# Since when an entry is what it is: a list changes those alone that differ.
_LISTED = text("""
    SELECT c.subject_id, c.csp_id, c.status, l.applied_at, c.valid_until
    FROM clearing.credential AS c
    JOIN clearing.credential_list AS l
        ON l.csp_id = c.csp_id AND l.version = c.list_version
    WHERE c.subject_id = ANY (CAST(:ids AS bigint[]))
""")

_MEANS = text("""
    SELECT q.evse_key, avg(newest.net_minor)::bigint AS mean_minor
    FROM unnest(CAST(:keys AS text[]), CAST(:currencies AS text[]))
         AS q (evse_key, currency)
    CROSS JOIN LATERAL (
        SELECT net_minor FROM clearing.sdr AS s
        WHERE s.evse_key = q.evse_key AND s.currency = q.currency
          AND s.submitter_id = :submitter_id
          AND s.started_at > :since AND s.status = 'ACCEPTED' AND s.kind <> 'CREDIT'
        ORDER BY s.started_at DESC LIMIT :sample
    ) AS newest
    GROUP BY q.evse_key, q.currency
""")

#: Hours around a session in which the same subject's other sessions are looked at: at
#: 200 km/h nobody leaves the continent in more.
TRAVEL_HOURS = 12


class Known(NamedTuple):
    """What is stored under an SDR id."""

    content_digest: bytes
    window_id: int
    sdr_no: int


class Sent(NamedTuple):
    """The pseudonyms of credential and contract that an SDR was stored with."""

    credential_subject_id: int | None
    contract_subject_id: int | None


class ListedEntry(NamedTuple):
    """An entry of a CSP's list, and since when it is what it is."""

    csp_id: int
    status: CredentialStatus
    since: datetime
    valid_until: datetime | None


class Stay(NamedTuple):
    """Where and when a record says that somebody charged; ``place`` is ours.

    ``cso_id``: for whom it was submitted. ``match_seconds`` and ``near_seconds``: how
    far a session's start, and that of nearly the same SDR, may lie from this one.
    ``started`` and ``ended``: the instants as text.
    """

    place: int
    evse_key: str
    started_at: datetime
    ended_at: datetime
    subject_id: int | None
    cso_id: int
    match_seconds: int
    near_seconds: int
    started: str
    ended: str


def known_ids(
    tx: Connection, submitter_id: int, hashes: Collection[bytes]
) -> dict[bytes, Known]:
    """Return what is stored under SDR ids, by the hash of the id."""
    place = {
        "submitter_id": submitter_id,
        "hashes": _texts([f"\\\\x{one.hex()}" for one in hashes]),
    }
    return {
        row.uid_hash: Known(row.content_digest, row.window_id, row.sdr_no)
        for row in tx.execute(_KNOWN, place)
    }


def sent_with(tx: Connection, known: Collection[Known]) -> dict[Known, Sent]:
    """Return the pseudonyms that stored SDRs came with, for a fair comparison."""
    if not known:
        return {}
    place = {
        "windows": [entry.window_id for entry in known],
        "numbers": [entry.sdr_no for entry in known],
    }
    found = {
        (row.window_id, row.sdr_no): Sent(row.credential, row.contract)
        for row in tx.execute(_SENT, place)
    }
    return {
        entry: found[entry.window_id, entry.sdr_no]
        for entry in known
        if (entry.window_id, entry.sdr_no) in found
    }


def evses_by_key(tx: Connection, keys: Collection[str]) -> dict[str, EvseFacts]:
    """Return what the registry knows of EVSEs."""
    if not keys:
        return {}
    rows = tx.execute(_EVSES, {"keys": _array(keys)}).all()
    return {row[0]: EvseFacts(*row) for row in rows}


def sessions_by_id(tx: Connection, ids: Mapping[int, UUID]) -> dict[int, SessionFacts]:
    """Return sessions by the places that name their ids."""
    if not ids:
        return {}
    place = {"places": _array(ids), "ids": _texts([one.hex for one in ids.values()])}
    found = {}
    # All at once: each row that is fetched by itself is a call of the driver.
    rows = tx.execute(_SESSIONS, place).all()
    for at, state, visited_id, home_id, evse_key, subject_id in rows:
        found[at] = SessionFacts(
            ids[at], _STATES[state], visited_id, home_id, evse_key, subject_id
        )
    return found


def session_ids_by_partner_id(
    tx: Connection, participant_id: int, ids: Collection[str]
) -> dict[str, UUID]:
    """Return sessions' ids by what a partner calls them."""
    if not ids:
        return {}
    place = {"participant_id": participant_id, "ids": list(ids)}
    return {row.value: row.session_id for row in tx.execute(_PARTNER_IDS, place)}


def sessions_that_fit(
    tx: Connection, submitter_id: int, stays: Sequence[Stay]
) -> dict[int, SessionFacts]:
    """Return the session that fits each stay best, by the stay's place.

    The submitter's or the CSO's own: another's neither fits nor hides one that does.
    """
    if not stays:
        return {}
    place = {
        "places": _array([stay.place for stay in stays]),
        "keys": _array([stay.evse_key for stay in stays]),
        "subjects": _array([stay.subject_id for stay in stays]),
        "starts": _array([stay.started for stay in stays]),
        "csos": _array([stay.cso_id for stay in stays]),
        "reaches": _array([stay.match_seconds for stay in stays]),
        "submitter_id": submitter_id,
    }
    return {row[0]: _session(row[1:]) for row in tx.execute(_FITTING, place)}


def sessions_that_wait(
    tx: Connection, submitter_id: int, ids: Collection[UUID]
) -> set[UUID]:
    """Return which sessions had an SDR and have none now: it was rejected.

    What is held of another submitter is none.
    """
    if not ids:
        return set()
    place = {"ids": _array(one.hex for one in ids), "submitter_id": submitter_id}
    return set(tx.execute(_WAITING, place).scalars())


def windows_since(tx: Connection, since: datetime) -> list[int]:
    """Return the windows that may hold SDRs of sessions that ended after an instant."""
    return list(tx.execute(_WINDOWS, {"since": since}).scalars())


def neighbours_on_evse(
    tx: Connection, submitter_id: int, stays: Sequence[Stay], windows: list[int]
) -> Mapping[int, list[Neighbour]]:
    """Return stored SDRs that share time with each stay on its EVSE, or nearly do.

    By place; those of the same CSO, another submitter's only when they are accepted.
    """
    place = {
        "places": _array([stay.place for stay in stays]),
        "keys": _texts([stay.evse_key for stay in stays]),
        "starts": _texts([stay.started for stay in stays]),
        "ends": _texts([stay.ended for stay in stays]),
        "csos": _array([stay.cso_id for stay in stays]),
        "submitter_id": submitter_id,
        "windows": windows,
        "hours": OVERLAP_HOURS,
        "nearest": NEAREST_MAX,
        "near_seconds": max((stay.near_seconds for stay in stays), default=0),
    }
    return _neighbours(tx.execute(_ON_EVSE, place).all(), submitter_id)


def neighbours_of_subject(
    tx: Connection, submitter_id: int, stays: Iterable[Stay], windows: list[int]
) -> Mapping[int, list[Neighbour]]:
    """Return stored SDRs of each stay's subject at other EVSEs, by place."""
    known = [stay for stay in stays if stay.subject_id is not None]
    if not known:
        return {}
    place = {
        "places": _array([stay.place for stay in known]),
        "subjects": _array([stay.subject_id for stay in known]),
        "keys": _array([stay.evse_key for stay in known]),
        "starts": _array([stay.started for stay in known]),
        "ends": _array([stay.ended for stay in known]),
        "submitter_id": submitter_id,
        "windows": windows,
        "hours": TRAVEL_HOURS,
        "nearest": NEAREST_MAX,
    }
    return _neighbours(tx.execute(_OF_SUBJECT, place).all(), submitter_id)


def listed_by_subject(
    tx: Connection, subject_ids: Collection[int]
) -> dict[int, ListedEntry]:
    """Return what the lists of CSPs say of credentials; unknown ones are left out."""
    if not subject_ids:
        return {}
    rows = tx.execute(_LISTED, {"ids": _array(subject_ids)})
    return {
        row[0]: ListedEntry(row[1], CredentialStatus(row[2]), row[3], row[4])
        for row in rows
    }


def mean_nets(
    tx: Connection,
    submitter_id: int,
    wanted: Collection[tuple[str, str]],
    *,
    since: datetime,
) -> dict[str, int]:
    """Return the mean net of EVSEs from a submitter's newest SDRs, in minor units.

    ``wanted`` are pairs of EVSE key and currency; an EVSE without SDRs is left out.
    """
    if not wanted:
        return {}
    place = {
        "keys": [key for key, _ in wanted],
        "currencies": [currency for _, currency in wanted],
        "submitter_id": submitter_id,
        "since": since,
        "sample": MEAN_SAMPLE_MAX,
    }
    return {row.evse_key: row.mean_minor for row in tx.execute(_MEANS, place)}


def _neighbours(
    rows: Iterable[Any], submitter_id: int
) -> Mapping[int, list[Neighbour]]:
    found: dict[int, list[Neighbour]] = defaultdict(list)
    for place, owner_id, sdr_id, *stay in rows:
        name = sdr_id if owner_id == submitter_id else None
        found[place].append(Neighbour(name, *stay))
    return found


def _session(row: Any) -> SessionFacts:  # noqa: ANN401 -- a thousand rows, as tuples
    session_id, state, *others = row
    return SessionFacts(session_id, _STATES[state], *others)


_STATES = {state.value: state for state in SessionState}


def _array(values: Iterable[object]) -> str:
    """Return values as an array literal; each is cast to its type in the statement.

    For keys, numbers and instants of ours, which hold neither quote nor backslash (a
    bytea's is doubled by the caller). The driver's own arrays take ten times as long.
    """
    return _texts([str(value) for value in values])


def _texts(values: Collection[str]) -> str:
    """Return texts of ours as an array literal, as :func:`_array` does."""
    return '{"' + '","'.join(values) + '"}' if values else "{}"
