"""The transparency export of an SDR: its signed meter values, for the EV user to check.

The key beside each value is the one that it was checked with at intake, since the
registry may have another one by now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clearinghouse import codes
from clearinghouse.domain import ocmf
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.meters import EncodingError, SignedFormat, SignedMeterValue
from clearinghouse.domain.ocmf import Moment, OcmfError
from clearinghouse.domain.sdrs import uid_hash
from clearinghouse.reports import transparency
from clearinghouse.reports.transparency import TransparencyValue
from clearinghouse.services import signed_values
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note, participant_named
from clearinghouse.storage import sdrs
from clearinghouse.storage import signed_values as rows
from clearinghouse.storage.signed_values import SignedRow

_CONTEXTS = {
    frozenset({Moment.BEGIN}): "Transaction.Begin",
    frozenset({Moment.END}): "Transaction.End",
}


def export(env: Environment, submitter_party: str, sdr_id: str) -> bytes:
    """Return the signed meter values of an SDR as the transparency software reads them.

    Who looks is noted: the values may name the EV user. Raises
    :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``; ``SDR_UNKNOWN``, also for an
    SDR without signed values, and for one whose EV user is forgotten.
    """
    with env.database.begin() as tx:
        submitter_id = participant_named(tx, submitter_party).participant_id
        key = (submitter_id, uid_hash(sdr_id))
        stored = sdrs.sdrs_by_hash(tx, [key]).get(key)
        if stored is None:
            raise ClearingHouseError(codes.SDR_UNKNOWN, f"there is no SDR {sdr_id}")
        signed = rows.signed_of(tx, [stored.place])
        note(tx, env, "export signed values", f"{submitter_party} {sdr_id}")
    found = signed_values.revealed(env, signed).get(stored.place, ())
    if not found:
        why = "its EV user is forgotten" if signed else "none came with it"
        detail = f"{sdr_id} has no signed meter values: {why}"
        raise ClearingHouseError(codes.SDR_UNKNOWN, detail)
    return transparency.render(_values(found))


def _values(
    found: Sequence[tuple[SignedRow, SignedMeterValue]],
) -> Iterator[TransparencyValue]:
    numbers: dict[tuple[int, int], int] = {}
    for row, value in found:
        place = (row.session_no, row.transaction_no)
        number = numbers.setdefault(place, len(numbers) + 1)
        yield TransparencyValue(
            transaction=number,
            context=_context(value),
            format=value.format.value,
            encoding=value.encoding.value.lower(),
            data=value.data,
            public_key=row.used_key or row.sent_key,
        )


def _context(value: SignedMeterValue) -> str:
    if value.format is not SignedFormat.OCMF:
        return ""
    try:
        readings = ocmf.parse(value.text()).readings
    except (EncodingError, OcmfError):
        return ""
    ends = {one.moment for one in readings} - {Moment.WITHIN}
    return _CONTEXTS.get(frozenset(ends), "")
