"""The worked numbers of rating, message by message: tariff, SDR, and what is told back.

R1 to R10 and V3 of the rules for rating. Each is published with PutTariffs, submitted
with SubmitSdrs and read back by both sides, with GetSdrStatus and GetSdrs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.sdrs import (
    ChargingSession,
    ChargingTransaction,
    ServiceDetailRecord,
)
from clearinghouse.storage import billing
from tests.builders import NOW, make_agreement, make_profile
from tests.flows.sdr_messages import batch, sdr
from tests.services.sdr_world import (
    SINCE,
    World,
    make_sdr,
    make_world,
    put_evse,
    totals_of,
)

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker

#: An EVSE in Berlin; sessions may be without an authorization here.
BERLIN = "CH*REP*E9000*1"
TERMS = Terms(match_required=False, late_limit_days=60)

#: A Tuesday, 12:00 in Berlin.
NOON = datetime(2026, 11, 17, 11, 0, tzinfo=UTC)


@dataclass(slots=True)
class Desk:
    """Both partners, and the numbers of tariffs and batches."""

    world: World
    cso: Speaker
    csp: Speaker
    batches: int = 0
    tariffs: int = 0

    def publish(self, *components: str, currency: str = "EUR", more: str = "") -> str:
        """Publish a tariff and return its name; ``more``: bounds, then what is new."""
        self.tariffs += 1
        name = f"R-{self.tariffs}"
        before, _, after = more.partition("|")
        priced = "".join(f"<component>{one}</component>" for one in components)
        answer = self.cso.call(
            "tariff",
            "PutTariffs",
            f"<tariff><tariffId>{name}</tariffId><currency>{currency}</currency>"
            f"<validFrom>{SINCE.isoformat()}</validFrom>{before}{priced}{after}</tariff>",
        )
        assert answer.code == 0, answer.raw
        return name

    def submit(
        self, record: ServiceDetailRecord, *, more: str = "", readings: str = ""
    ) -> Answer:
        """Submit one record in a batch of its own; ``more`` is put at its end.

        ``readings`` are those of its charging transactions.
        """
        self.batches += 1
        end = "</serviceDetailRecord>"
        transaction = "</chargingTransaction>"
        one = sdr(record).replace(end, f"{more}{end}")
        one = one.replace(transaction, f"{readings}{transaction}")
        content = batch(self.batches, [], control=totals_of([record]), more=one)
        return self.cso.call("sdr", "SubmitSdrs", content)

    def told(self, record: ServiceDetailRecord) -> tuple[str, str]:
        """Return status and rated amount, which both sides are told alike."""
        asked = f"<sdrId>{record.sdr_id}</sdrId>"
        mine = self.cso.call("sdr", "GetSdrStatus", asked)
        status = mine.element.findtext("{*}status/{*}status") or ""
        net = mine.element.findtext("{*}status/{*}ratedNet") or ""
        if status != "HELD":
            pulled = self.csp.call("sdr", "GetSdrs", "<role>HOME_CSP</role>")
            nets = {
                one.findtext(".//{*}sdrId"): one.findtext("{*}ratedNet")
                for one in pulled.element.findall("{*}sdr")
            }
            assert nets[record.sdr_id] == net
        return status, net

    def rated(
        self, tariff: str, used: ServiceDetailRecord, net: str, *, readings: str = ""
    ) -> None:
        """Submit what was used, with the right claim, and see it accepted as such."""
        record = replace(used, tariff_id=tariff, claimed_net=Decimal(net))
        answer = self.submit(record, readings=readings)
        assert answer.required("accepted") == "1", answer.raw
        assert self.told(record) == ("ACCEPTED", net)


@pytest.fixture
def desk(env: Environment, speaker: Callable[[Participant], Speaker]) -> Desk:
    world = make_world(env, terms=TERMS)
    put_evse(world, BERLIN, country="DE", time_zone="Europe/Berlin")
    with env.database.begin() as tx:
        for currency in ("JPY", "KWD"):
            make_agreement(
                tx,
                world.cso,
                world.csp,
                currency=currency,
                valid_from=SINCE,
                terms=replace(TERMS, net_ceiling_minor=1_000_000),
            )
    return Desk(world, speaker(world.cso), speaker(world.csp))


def used(
    *parts: tuple[int, int],
    started_at: datetime = NOON,
    parking_seconds: int = 0,
    idle_seconds: int = 0,
    currency: str = "EUR",
) -> ServiceDetailRecord:
    """Return a record of charging transactions, each of Wh and seconds, end to end.

    Idling follows them; parking is as long as all of it, or what is given.
    """
    at, transactions = started_at, list[ChargingTransaction]()
    for number, (energy_wh, seconds) in enumerate(parts):
        end = at + timedelta(seconds=seconds)
        transactions.append(
            ChargingTransaction(
                charging_transaction_id=str(number),
                started_at=at,
                ended_at=end,
                energy_wh=energy_wh,
            )
        )
        at = end
    charging = ChargingSession(
        charging_session_id="1",
        started_at=started_at,
        ended_at=at,
        transactions=transactions,
    )
    return replace(
        make_sdr(),
        evse_id=BERLIN,
        started_at=started_at,
        ended_at=max(
            at + timedelta(seconds=idle_seconds),
            started_at + timedelta(seconds=parking_seconds),
        ),
        charging_sessions=[charging] if transactions else [],
        parking_seconds=parking_seconds,
        idle_seconds=idle_seconds,
        currency=currency,
    )


def price(kind: str, amount: str, more: str = "") -> str:
    """Return the content of a component."""
    return f"<type>{kind}</type><price>{amount}</price>{more}"


@pytest.mark.clause("4.3-I3", "3.10")
def test_r1_energy_alone(desk: Desk) -> None:
    tariff = desk.publish(price("ENERGY", "0.49"))

    desk.rated(tariff, used((23_456, 2400)), "11.49")


def test_r2_session_energy_and_started_minutes(desk: Desk) -> None:
    tariff = desk.publish(
        price("FLAT", "0.35"), price("ENERGY", "0.45"), price("TIME", "0.02")
    )

    desk.rated(tariff, used((18_250, 2530)), "9.42")
    desk.rated(
        tariff, used((18_251, 2530), started_at=NOON + timedelta(hours=2)), "9.42"
    )


def test_r3_energy_in_tiers(desk: Desk) -> None:
    tariff = desk.publish(
        price("ENERGY", "0.39", "<upTo>40000</upTo>"),
        price("ENERGY", "0.35", "<from>40000</from>"),
    )

    desk.rated(tariff, used((52_345, 7200)), "19.92")


DAY_AND_EVENING = (
    price(
        "ENERGY",
        "0.40",
        "<localFrom>06:00</localFrom><localUntil>18:00</localUntil>",
    ),
    price(
        "ENERGY",
        "0.55",
        "<localFrom>18:00</localFrom><localUntil>06:00</localUntil>",
    ),
)


def test_r4_time_of_day_by_charging_transactions(desk: Desk) -> None:
    tariff = desk.publish(*DAY_AND_EVENING)
    half_past_five = NOON + timedelta(hours=5, minutes=30)
    parts = used((12_400, 1800), (17_600, 5400), started_at=half_past_five)

    desk.rated(tariff, parts, "14.64")


def test_r4_time_of_day_by_meter_readings(desk: Desk) -> None:
    tariff = desk.publish(*DAY_AND_EVENING)
    start = NOON + timedelta(hours=5, minutes=30)
    record = used((30_000, 7200), started_at=start)
    readings = "".join(
        f"<meterReading><at>{(start + timedelta(seconds=seconds)).isoformat()}</at>"
        f"<registerWh>{register_wh}</registerWh></meterReading>"
        for seconds, register_wh in ((0, 1_000), (1800, 13_400), (7200, 31_000))
    )

    desk.rated(tariff, record, "14.64", readings=readings)


def test_r4_time_of_day_without_intervals_takes_the_start(desk: Desk) -> None:
    tariff = desk.publish(*DAY_AND_EVENING)
    half_past_five = NOON + timedelta(hours=5, minutes=30)

    desk.rated(tariff, used((30_000, 7200), started_at=half_past_five), "12.00")


def test_r4_tariff_priced_by_start_does_not_look_at_intervals(desk: Desk) -> None:
    tariff = desk.publish(*DAY_AND_EVENING, more="|<pricedBy>START</pricedBy>")
    half_past_five = NOON + timedelta(hours=5, minutes=30)
    parts = used((12_400, 1800), (17_600, 5400), started_at=half_past_five)

    desk.rated(tariff, parts, "12.00")


@pytest.mark.parametrize(
    ("idle_seconds", "net"), [(2830, "3.30"), (900, "0.00"), (901, "0.10")]
)
def test_r5_idle_minutes_after_the_grace(
    desk: Desk, idle_seconds: int, net: str
) -> None:
    tariff = desk.publish(price("IDLE", "0.10", "<graceSeconds>900</graceSeconds>"))

    desk.rated(tariff, used((10_000, 1800), idle_seconds=idle_seconds), net)


def test_r5_parking_blocks_have_their_own_price(desk: Desk) -> None:
    block = price("PARKING", "0.50", "<step>900</step><pricePer>STEP</pricePer>")
    tariff = desk.publish(block)

    desk.rated(tariff, used((10_000, 1800), parking_seconds=3661), "2.50")


def test_r5_parking_may_have_a_grace_too(desk: Desk) -> None:
    free = "<step>900</step><graceSeconds>900</graceSeconds><pricePer>STEP</pricePer>"
    tariff = desk.publish(price("PARKING", "0.50", free))

    desk.rated(tariff, used((10_000, 1800), parking_seconds=3661), "2.00")


def test_r6_minimum_lifts_the_amount(desk: Desk) -> None:
    tariff = desk.publish(price("ENERGY", "0.49"), more="<minimum>0.50</minimum>")

    desk.rated(tariff, used((312, 600)), "0.50")


def test_r6_maximum_bounds_the_amount(desk: Desk) -> None:
    tariff = desk.publish(price("ENERGY", "1.35"), more="<maximum>90.00</maximum>")

    desk.rated(tariff, used((75_000, 7200)), "90.00")


def test_r7_half_a_cent_and_its_credit(desk: Desk) -> None:
    tariff = desk.publish(price("ENERGY", "0.01"))
    original = used((12_500, 1800))
    desk.rated(tariff, original, "0.13")
    credit = replace(
        original, sdr_id="CREDIT-7", tariff_id=tariff, claimed_net=Decimal("0.13")
    )

    answer = desk.submit(
        credit, more=f"<kind>CREDIT</kind><refSdrId>{original.sdr_id}</refSdrId>"
    )

    assert answer.required("accepted") == "1", answer.raw
    assert desk.told(credit)[1] == "-0.13"


@pytest.mark.parametrize(
    ("currency", "amount", "energy_wh", "net"),
    [("JPY", "49.5", 23_456, "1161"), ("KWD", "0.0455", 7_777, "0.354")],
)
def test_r8_currencies_without_and_with_three_decimals(
    desk: Desk, currency: str, amount: str, energy_wh: int, net: str
) -> None:
    tariff = desk.publish(price("ENERGY", amount), currency=currency)

    desk.rated(tariff, used((energy_wh, 3600), currency=currency), net)


def test_r8_claim_with_too_many_decimals_is_refused(desk: Desk) -> None:
    tariff = desk.publish(price("ENERGY", "0.49"))
    claimed = Decimal("1.005")

    answer = desk.submit(
        replace(used((2_051, 600)), tariff_id=tariff, claimed_net=claimed)
    )

    assert answer.required("refused") == "1"
    (item,) = [one for one in answer.items if one["rule"] == "S-104"]
    assert (item["path"], item["found"]) == ("claimedNet", "1.005")


def test_r9_elapsed_time_ignores_the_change_of_clocks(desk: Desk) -> None:
    tariff = desk.publish(price("TIME", "0.05"))
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    summer, winter = (timezone(timedelta(hours=hours)) for hours in (2, 1))
    record = used((10_000, 6300), started_at=start.astimezone(summer))
    (charging,) = record.charging_sessions
    end = record.ended_at.astimezone(winter)
    record.ended_at = charging.ended_at = charging.transactions[0].ended_at = end

    desk.rated(tariff, record, "5.25")

    assert (record.started_at.hour, end.hour) == (2, 3)


def test_r10_claim_is_held_beyond_the_tolerance_and_remarked_within(
    desk: Desk,
) -> None:
    tariff = desk.publish(price("ENERGY", "0.49"))
    far = replace(used((23_456, 2400)), tariff_id=tariff, claimed_net=Decimal("11.60"))
    near = replace(
        used((23_456, 2400), started_at=NOON + timedelta(hours=2)),
        tariff_id=tariff,
        claimed_net=Decimal("11.50"),
    )

    held, taken = desk.submit(far), desk.submit(near)

    assert (held.required("held"), _rules(held)) == ("1", ["S-208"])
    assert (taken.required("accepted"), _rules(taken)) == ("1", ["S-301"])
    assert desk.told(far) == ("HELD", "11.49")
    assert desk.told(near) == ("ACCEPTED", "11.49")


def test_v3_price_with_vat_gives_the_net_amount(desk: Desk) -> None:
    with desk.world.env.database.begin() as tx:
        for party_id, dealer in (("CHREP", True), ("DEABC", False)):
            profile = make_profile(party_id, is_taxable_dealer=dealer)
            billing.add_profile(tx, profile, at=NOW)
    tariff = desk.publish(
        price("ENERGY", "0.59"), more="|<vatIncluded>true</vatIncluded>"
    )

    desk.rated(tariff, used((20_000, 3600)), "9.92")


def _rules(answer: Answer) -> Sequence[str]:
    """Return the rules about amounts that an answer names."""
    return [one["rule"] for one in answer.items if one["rule"] in ("S-208", "S-301")]
