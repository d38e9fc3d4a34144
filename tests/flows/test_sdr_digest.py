"""GetDigest: both sides find out whether they have the same SDRs, and on which day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.domain.sdr_digests import digest_of
from clearinghouse.services import held_sdrs
from tests.builders import NOW, make_sender
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import World, make_sdr, make_world, message

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Speaker
    from tests.fixtures.partners import StillClock

TODAY = NOW.date().isoformat()
TOMORROW = (NOW + timedelta(days=1)).date().isoformat()
NOTHING = sha256(b"").hexdigest()


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _asked(
    who: Speaker, first: str = TODAY, last: str = TOMORROW, *, role: str = ""
) -> list[dict[str, str]]:
    content = f"<firstDay>{first}</firstDay><lastDay>{last}</lastDay>"
    if role:
        content = f"<role>{role}</role>{content}"
    answer = who.call("sdr", "GetDigest", content)
    assert answer.code == 0, answer.raw
    found = []
    for entry in answer.all("digest"):
        if len(entry):
            told = answer.children(entry)
            money = [answer.children(one) for one in answer.all("net")]
            told["net"] = " ".join(
                f"{one['amount']} {one['currency']}" for one in money
            )
            found.append(told)
    return found


@pytest.mark.clause("4.3-I3")
def test_both_sides_get_the_same_of_one_day_and_recompute_the_digest(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    cso, csp = speaker(world.cso), speaker(world.csp)
    good = [world.session(sdr_id=f"sdr-{n}") for n in (10, 9)]
    held = world.session(claimed_net=Decimal("20.00"))
    refused = make_sdr(tariff_id="T-404")
    cso.call("sdr", "SubmitSdrs", batch(1, [*good, held, refused]))

    (sent,) = _asked(cso)
    (got,) = _asked(csp)

    mine = sha256(b"SDR-10\nSDR-9\n").hexdigest()
    common = {
        "day": TODAY,
        "accepted": "2",
        "energyWh": "46912",
        "net": "22.98 EUR",
        "digest": mine,
    }
    assert sent == common | {"partnerId": "DEABC", "held": "1", "refused": "1"}
    assert got == common | {"partnerId": "CHREP", "held": "0", "refused": "0"}


def test_a_released_sdr_counts_on_the_day_on_which_it_came(
    world: World, speaker: Callable[[Participant], Speaker], clock: StillClock
) -> None:
    held = world.session(claimed_net=Decimal("20.00"))
    world.submit([held])
    world.close()
    clock.forward(seconds=86_400)

    held_sdrs.release(world.env, "CHREP", held.sdr_id)

    (sent,) = _asked(speaker(world.cso))
    assert (sent["day"], sent["accepted"], sent["held"]) == (TODAY, "1", "0")
    assert sent["digest"] == digest_of([held.sdr_id]).hex()
    assert _asked(speaker(world.csp))[0]["digest"] == sent["digest"]


def test_days_and_partners_stand_apart_and_in_order(
    world: World, speaker: Callable[[Participant], Speaker], clock: StillClock
) -> None:
    world.submit([world.session(), world.session(world.other_csp)])
    clock.forward(seconds=86_400)
    later = message(make_sender(world.cso), received_at=NOW + timedelta(days=1))
    world.submit_raw([world.session(), make_sdr(csp_id="DENON")], exchange=later)

    found = _asked(speaker(world.cso))

    seen = [(one["day"], one.get("partnerId"), one["accepted"]) for one in found]
    assert seen == [
        (TODAY, "DEABC", "1"),
        (TODAY, "FRXYZ", "1"),
        (TOMORROW, "DEABC", "1"),
        (TOMORROW, None, "0"),
    ]
    assert (found[-1]["refused"], found[-1]["digest"]) == ("1", NOTHING)
    assert len(_asked(speaker(world.cso), last=TODAY)) == 2


@pytest.mark.clause("8-min")
def test_nobody_gets_the_digest_of_others(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    world.submit([world.session()])

    assert _asked(speaker(world.other_csp)) == []
    assert _asked(speaker(world.csp), role="SUBMITTER") == []
    assert _asked(speaker(world.cso), role="HOME_CSP") == []


@pytest.mark.parametrize(
    ("first", "last", "path"),
    [
        ("2026-02-29", "2026-03-01", "firstDay"),
        ("2026-03-02", "2026-03-01", "lastDay"),
        ("2026-03-01", "2026-04-01", "lastDay"),
    ],
)
def test_days_that_are_none_or_too_many_are_refused(
    world: World,
    speaker: Callable[[Participant], Speaker],
    first: str,
    last: str,
    path: str,
) -> None:
    content = f"<firstDay>{first}</firstDay><lastDay>{last}</lastDay>"

    answer = speaker(world.cso).call("sdr", "GetDigest", content)

    assert answer.code == 653
    assert answer.items[0]["path"] == path
    assert answer.items[0]["expected"]


def test_a_whole_month_is_answered(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    assert _asked(speaker(world.cso), "2026-03-01", "2026-03-31") == []


@given(st.lists(st.from_regex(r"[A-Za-z0-9-]{1,8}", fullmatch=True)))
def test_a_digest_knows_neither_order_nor_case_nor_doubles(sdr_ids: list[str]) -> None:
    shuffled = [one.lower() for one in reversed(sdr_ids)] * 2

    assert digest_of(sdr_ids) == digest_of(shuffled)
    if sdr_ids:
        assert digest_of(sdr_ids) != digest_of([*sdr_ids, "another-one"])
