"""What the sender of a batch is told beside the rules that single records met."""

from __future__ import annotations

from clearinghouse import codes
from clearinghouse.domain.errors import Item
from clearinghouse.domain.sdr_catalogue import S303
from clearinghouse.domain.sdrs import RULE_VERSION, ServiceDetailRecord

#: Records from which on a batch may show that its clock knows whole minutes only.
WHOLE_MINUTES_FROM = 20


def is_in_whole_minutes(record: ServiceDetailRecord) -> bool:
    """Say whether start and end of a record have no seconds."""
    started_at, ended_at = record.started_at, record.ended_at
    return not (
        started_at.second
        or ended_at.second
        or started_at.microsecond
        or ended_at.microsecond
    )


def whole_minutes(count: int) -> Item:
    """Return the remark on a batch whose clock seems to know no seconds (S-303)."""
    return Item(
        code=S303.code,
        rule=S303.rule,
        rule_version=RULE_VERSION,
        path="serviceDetailRecord",
        expected="times with their seconds",
        found=f"whole minutes in all {count} records",
    )


def duplicate(index: int) -> Item:
    """Return the remark on a record that was taken before."""
    return Item(code=codes.SDR_DUPLICATE, index=index, path="sdrId")
