"""GetProof over SOAP: both sides get the proof of their SDR, and nobody else does."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import select

from clearinghouse import codes
from clearinghouse.domain.merkle import root_of
from clearinghouse.endpoint.messages.common import Result
from clearinghouse.endpoint.messages.sdr import Receipt, SubmitSdrsResponse
from clearinghouse.endpoint.messages.settlement import GetProofResponse, TreePlace
from clearinghouse.endpoint.proofs import check_proof, check_receipt
from clearinghouse.services import held_sdrs, seals
from clearinghouse.storage.tables.sdrs import sdr
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import World, make_world

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker

_RESULT = Result(code=0, text="Done.", retryable=False, correlation_id=None)  # type: ignore[arg-type]  # told elsewhere


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _read(answer: Answer) -> GetProofResponse:
    def content(name: str) -> bytes:
        return base64.b64decode(answer.required(name))

    def place(name: str) -> TreePlace:
        (one,) = answer.all(name)
        found = [child.text or "" for child in one]
        return TreePlace(index=int(found[0]), size=int(found[1]), hash=tuple(found[2:]))

    return GetProofResponse(
        result=_RESULT,
        window_id=int(answer.required("windowId")),
        row=content("row"),
        in_pair=place("inPair"),
        pair_row=content("pairRow"),
        in_window=place("inWindow"),
        block=content("block"),
        key_id=answer.required("keyId"),
        signature=content("signature"),
        public_key=content("publicKey"),
    )


@pytest.mark.clause("4.3-I3", "8-min")
def test_both_sides_prove_their_sdr_in_the_sealed_window(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    records = [world.session() for _ in range(5)]
    world.submit([*records, world.session(world.other_csp)])
    asked = f"<sdrId>{records[3].sdr_id}</sdrId>"
    named = f"{asked}<submitterId>{world.cso.party_id}</submitterId>"
    early = speaker(world.cso).call("settlement", "GetProof", asked)
    window_id = world.close().window.window_id
    seals.seal_pending(world.env)

    own = speaker(world.cso).call("settlement", "GetProof", asked)
    home = speaker(world.csp).call("settlement", "GetProof", named)
    other = speaker(world.other_csp).call("settlement", "GetProof", named)

    assert early.code == codes.PROOF_PENDING.number
    assert other.code == codes.SDR_UNKNOWN.number
    pem = seals.keys(world.env)[-1].pem.encode()
    for answer in (own, home):
        assert answer.code == 0, answer.raw
        proof = _read(answer)
        check_proof(proof, pem)
        assert proof.window_id == window_id
        assert proof.row is not None
        assert records[3].sdr_id in proof.row.decode().split("\t")
    assert own.required("row") == home.required("row")


def test_sdr_that_counts_nowhere_has_no_proof(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    record = world.session(claimed_net=Decimal("20.00"))
    world.submit([record])
    asked = f"<sdrId>{record.sdr_id}</sdrId>"

    held = speaker(world.cso).call("settlement", "GetProof", asked)
    held_sdrs.release(world.env, world.cso.party_id, record.sdr_id)
    world.close()
    seals.seal_pending(world.env)
    released = speaker(world.cso).call("settlement", "GetProof", asked)
    unknown = speaker(world.cso).call("settlement", "GetProof", "<sdrId>NONE</sdrId>")

    assert held.code == codes.PROOF_NONE.number
    assert released.code == 0, released.raw
    check_proof(_read(released))
    assert unknown.code == codes.SDR_UNKNOWN.number


def test_submitter_gets_a_signed_receipt_of_its_batch(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    records = [world.session(), world.session(claimed_net=Decimal("20.00"))]
    answer = speaker(world.cso).call("sdr", "SubmitSdrs", batch(1, records))
    (written,) = answer.all("receipt")
    text, key_id, signature = [child.text or "" for child in written]
    told = SubmitSdrsResponse(
        result=_RESULT,
        batch_id=UUID(answer.required("batchId")),
        accepted=1,
        held=1,
        refused=0,
        duplicates=0,
        batch_root=answer.required("batchRoot"),
        receipt=Receipt(
            text=text, key_id=key_id, signature=base64.b64decode(signature)
        ),
    )
    pem = seals.keys(world.env)[-1].pem.encode()

    said = check_receipt(told, pem)

    assert (said["submitter"], said["sequence"]) == (world.cso.party_id, "1")
    with world.env.database.begin_read_only() as tx:
        leaves = tx.execute(select(sdr.c.leaf).order_by(sdr.c.sdr_no)).scalars()
        assert said["root"] == root_of(list(leaves)).hex()
    with pytest.raises(ValueError, match="of another batch: held"):
        check_receipt(replace(told, held=2), pem)
