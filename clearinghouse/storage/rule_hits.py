"""The rules that stored SDRs met."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, text

from clearinghouse.codes import by_number
from clearinghouse.domain.errors import Item
from clearinghouse.storage.sdrs import Place

_HITS = text("""
    SELECT h.window_id, h.sdr_no, h.rule, h.code, h.path, h.expected, h.found,
           s.rule_version
    FROM unnest(CAST(:windows AS integer[]), CAST(:numbers AS bigint[]))
         AS q (window_id, sdr_no)
    JOIN clearing.rule_hit AS h USING (window_id, sdr_no)
    JOIN clearing.sdr AS s USING (window_id, sdr_no)
    -- The windows by themselves: the plan is for these, and not for all.
    WHERE s.window_id = ANY (CAST(:windows AS integer[]))
      AND (CAST(:as_home AS boolean) OR h.severity <> 'N')
    ORDER BY h.window_id, h.sdr_no, h.rule COLLATE "C"
""")


def hits_of(
    tx: Connection, places: Collection[Place], *, as_home: bool
) -> dict[Place, tuple[Item, ...]]:
    """Return the rules that SDRs met; those that met none are left out.

    ``as_home``: with the notes that are the home CSP's and not the submitter's.
    """
    if not places:
        return {}
    numbers = {
        "windows": [place.window_id for place in places],
        "numbers": [place.sdr_no for place in places],
        "as_home": as_home,
    }
    found: dict[Place, tuple[Item, ...]] = {}
    for row in tx.execute(_HITS, numbers):
        item = Item(
            code=by_number(row.code),
            rule=row.rule,
            rule_version=row.rule_version,
            path=row.path,
            expected=row.expected,
            found=row.found,
        )
        place = Place(row.window_id, row.sdr_no)
        found[place] = (*found.get(place, ()), item)
    return found
