"""A world with much that a bundle can hold: VAT, credits, disputes, tolerances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from clearinghouse.domain.disputes import Act, DisputeReason
from clearinghouse.domain.sdrs import SdrKind
from clearinghouse.services import bundles, disputes, seals
from clearinghouse.services.disputes import Complaint, Filed, Reply
from clearinghouse.storage import billing
from clearinghouse.storage.signing import Signer
from tests.builders import make_profile, make_sender
from tests.services.sdr_world import SINCE, World, make_world, message

if TYPE_CHECKING:
    from pathlib import Path

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


def bundle_of(env: Environment, window_id: int, folder: Path) -> Made:
    """Write the bundle of a window."""
    path = folder / "true.zip"
    bundles.write_bundle(env, window_id, path)
    return Made(path.read_bytes(), env.signer, seals.keys(env)[-1].pem)


def agree(world: World, record: ServiceDetailRecord, amount: Decimal) -> None:
    """Let the home CSP dispute an SDR, offer an amount, and the submitter take it."""
    told: list[Filed] = []

    def render(filed: Filed) -> bytes:
        told.append(filed)
        return b"<answer/>"

    csp, cso = make_sender(world.csp), make_sender(world.cso)
    complaint = Complaint(
        submitter_party=world.cso.party_id,
        sdr_id=record.sdr_id,
        reason=DisputeReason.TARIFF,
        accepted=amount,
    )
    asked = message(csp, operation="DisputeSdr")
    disputes.dispute_sdr(world.env, asked, complaint, render)
    dispute_id = told[0].dispute.dispute_id
    reply = Reply(dispute_id=dispute_id, act=Act.ACCEPT)
    answer = message(cso, operation="AnswerDispute")
    disputes.answer_dispute(world.env, answer, reply, render)
