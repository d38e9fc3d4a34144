"""The business calendar: when a term of so many days is over (settlement 2.7).

Days off are Saturdays, Sundays and the closing days of TARGET, the payment system of
the euro: the same for all partners, and known for every year to come.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

_DAY = timedelta(days=1)
_SATURDAY = 5
_FIXED = frozenset({(1, 1), (5, 1), (12, 25), (12, 26)})


def is_business_day(day: date) -> bool:
    """Say whether payments are made on a day.

    >>> is_business_day(date(2026, 4, 3))  # Good Friday
    False
    """
    if day.weekday() >= _SATURDAY or (day.month, day.day) in _FIXED:
        return False
    easter = easter_sunday(day.year)
    return day not in (easter - 2 * _DAY, easter + _DAY)


def term_end(since: datetime, days: int) -> datetime:
    """Return the instant at which a term of so many calendar days is over, in UTC.

    It begins on the day behind ``since`` and runs to the end of its last day; one that
    would end on a day off ends with the next business day.
    """
    last = since.astimezone(UTC).date() + timedelta(days=days)
    while not is_business_day(last):
        last += _DAY
    return datetime.combine(last + _DAY, time(), UTC)


def easter_sunday(year: int) -> date:
    """Return Easter of the western churches (the computus of Meeus, Jones, Butcher).

    >>> easter_sunday(2026).isoformat()
    '2026-04-05'
    """
    golden = year % 19
    century, in_century = divmod(year, 100)
    leap, rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap - correction + 15) % 30
    quarter, left = divmod(in_century, 4)
    weekday = (32 + 2 * rest + 2 * quarter - epact - left) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
