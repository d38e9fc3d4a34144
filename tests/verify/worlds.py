"""A world with much that a bundle can hold: VAT, credits, disputes, tolerances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from clearinghouse.domain.disputes import Act, DisputeReason
from clearinghouse.domain.fees import FeePlan, FeeSide, Tier
from clearinghouse.domain.fx import Choice, Rate
from clearinghouse.domain.runs import FeeMode, Model
from clearinghouse.domain.sdrs import SdrKind
from clearinghouse.services import bundles, disputes, fees, fx, run_undoing, seals
from clearinghouse.services.disputes import Complaint, Filed, Reply
from clearinghouse.storage import billing, tariffs
from clearinghouse.storage.signing import Signer
from clearinghouse.storage.tariffs import Publication
from tests.builders import (
    make_agreement,
    make_participant,
    make_profile,
    make_sender,
)
from tests.fixtures.operators import make_operators
from tests.services.run_world import RunWorld
from tests.services.sdr_world import SINCE, World, make_world, message, price

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment


@dataclass(frozen=True)
class Made:
    """A true bundle as bytes, who signs, and the public key of that in PEM."""

    content: bytes
    signer: Signer
    pem: str


def make_taxed_world(env: Environment) -> World:
    """Put a seller in force that charges VAT."""
    made = make_world(env)
    own = make_profile("CHREP", vat_id="CHE107787577MWST", country="CH")
    with env.database.begin() as tx:
        billing.add_profile(tx, own, at=SINCE)
    return made


def make_rich_bundle(env: Environment, folder: Path) -> Made:
    """Close two windows and write the bundle of the second.

    In it: charges of two partners, one with a claim within the tolerance; a credit and
    the end of a dispute on SDRs of the first window; a dispute on one of its own.
    """
    world = make_taxed_world(env)
    credited, disputed = world.session(), world.session()
    world.submit([credited, disputed, world.session()])
    world.close("2026-12")
    carried = world.session()
    credit = replace(
        credited, sdr_id="C-1", kind=SdrKind.CREDIT, ref_sdr_id=credited.sdr_id
    )
    world.submit(
        [
            credit,
            world.session(),
            world.session(claimed_net=Decimal("11.50")),
            world.session(world.other_csp),
            carried,
        ]
    )
    for record, amount in ((disputed, "4.00"), (carried, "7.11")):
        agree(world, record, Decimal(amount))
    window_id = world.close("2027-01").window.window_id
    return bundle_of(env, window_id, folder)


#: Since when plans and choices stand, and the day of the rate.
_DAY = SINCE.date()


def make_settled_world(
    env: Environment,
    model: Model = Model.MULTILATERAL,
    mode: FeeMode = FeeMode.NETTED,
) -> tuple[RunWorld, int]:
    """Close a window with debts in EUR and SEK, and settle it in one run.

    Two CSPs settle SEK in EUR; the house charges fees with VAT, by tiers and by share.
    Returns the number of the window.
    """
    world = make_taxed_world(env)
    people = [_swede(world, party_id) for party_id in ("SEONE", "SETWO")]
    house = make_profile(env.limits.party_id, vat_id="DE136695976", country="DE")
    with env.database.begin() as tx:
        billing.add_profile(tx, house, at=SINCE)
        published = price(5_000_000, tariff_id="T-SEK", currency="SEK")
        tariffs.publish(
            tx,
            Publication(publisher_id=world.cso.participant_id, tariff=published),
            at=SINCE,
        )
    in_sek = {"tariff_id": "T-SEK", "currency": "SEK", "claimed_net": Decimal("117.28")}
    world.submit(
        [
            *(world.session() for _ in range(3)),
            world.session(world.other_csp),
            *(world.session(one, **in_sek) for one in people),
        ]
    )
    tiers = (Tier(1, 70_000), Tier(2, 45_500), Tier(None, 20_000))
    _put_plan(env, "DEABC", side=FeeSide.RECEIVED, tiers=tiers)
    bounds = {"minimum_minor": 10, "maximum_minor": 500}
    _put_plan(env, "CHREP", share_ppm=3_500, payment_days=14, **bounds)
    _put_plan(env, "SEONE", share_ppm=3_500, minimum_minor=30)
    fx.put_rate(env, Rate(currency="SEK", day=_DAY, rate_u=11_234_500))
    window_id = world.close("2026-12").window.window_id
    anna, ben = make_operators(env)
    four = RunWorld(world, {}, anna, ben)
    run_id = four.propose(model, mode).run_id
    four.advance(run_id)
    four.pay(run_id)
    return four, window_id


def reverse(four: RunWorld, run_id: int) -> None:
    """Take a run back and send all money home."""
    env, anna = four.env, four.anna
    four.approve(run_undoing.ask_reverse(env, anna, run_id, reason="wrong"))
    four.advance(run_id + 1)
    four.pay(run_id + 1)


def _swede(world: World, party_id: str) -> Participant:
    choice = Choice(
        party="CHREP",
        other=party_id,
        from_currency="SEK",
        to_currency="EUR",
        valid_from=_DAY,
    )
    with world.env.database.begin() as tx:
        made = make_participant(tx, party_id=party_id, country="SE")
        make_agreement(tx, world.cso, made, valid_from=SINCE, currency="SEK")
    fx.agree(world.env, choice)
    return made


def _put_plan(env: Environment, party_id: str, **given: object) -> None:
    terms = {"currency": "EUR", "valid_from": _DAY} | given
    fees.put_plan(env, FeePlan(party_id=party_id, **terms))  # type: ignore[arg-type]  # by the tests


def bundle_of(env: Environment, window_id: int, folder: Path) -> Made:
    """Write the bundle of a window."""
    path = folder / "true.zip"
    bundles.write_bundle(env, window_id, path)
    return Made(path.read_bytes(), env.signer, seals.keys(env)[-1].pem)


def agree(world: World, record: ServiceDetailRecord, amount: Decimal) -> None:
    """Let the home CSP dispute an SDR, offer an amount, and the submitter take it."""
    answer_dispute(world, complain(world, record, amount))


def complain(
    world: World, record: ServiceDetailRecord, amount: Decimal | None = None
) -> UUID:
    """Let the home CSP dispute an SDR, and offer an amount if any."""
    told: list[Filed] = []

    def render(filed: Filed) -> bytes:
        told.append(filed)
        return b"<answer/>"

    home = world.other_csp if record.csp_id == "FRXYZ" else world.csp
    complaint = Complaint(
        submitter_party=world.cso.party_id,
        sdr_id=record.sdr_id,
        reason=DisputeReason.TARIFF,
        accepted=amount,
    )
    asked = message(make_sender(home), operation="DisputeSdr")
    disputes.dispute_sdr(world.env, asked, complaint, render)
    return told[0].dispute.dispute_id


def answer_dispute(world: World, dispute_id: UUID) -> None:
    """Let the submitter grant what was asked for in a dispute."""
    reply = Reply(dispute_id=dispute_id, act=Act.ACCEPT)
    answer = message(make_sender(world.cso), operation="AnswerDispute")
    disputes.answer_dispute(world.env, answer, reply, lambda _: b"<answer/>")
