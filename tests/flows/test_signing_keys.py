"""GetSigningKeys over SOAP: partners get the public keys, and when each was in use."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from clearinghouse import codes
from clearinghouse.services import seals, signing_keys
from clearinghouse.storage import signing
from clearinghouse.storage.signing import PublicKey, Signer
from tests.services.sdr_world import World, make_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.engine import Answer, Speaker
    from tests.fixtures.partners import StillClock


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _rotate(world: World) -> PublicKey:
    """Put another key in the place of the one that signs, as the verb does."""
    key, now = Signer().key(), world.env.clock.now()
    with world.env.database.begin() as tx:
        signing.note_key(tx, world.env.signer.key(), at=now)
        signing.note_key(tx, key, at=now)
    return seals.keys(world.env)[-1]


def _keys(answer: Answer) -> list[dict[str, str]]:
    assert answer.code == 0, answer.raw
    return [
        {str(one.tag).rpartition("}")[2]: one.text or "" for one in key}
        for key in answer.all("key")
    ]


@pytest.mark.clause("4.3-I3", "7.1-source")
def test_every_participant_gets_the_key_in_use_and_those_before_it(
    world: World, clock: StillClock, speaker: Callable[[Participant], Speaker]
) -> None:
    first = seals.keys(world.env)[-1]
    clock.forward(seconds=3_600)
    second = _rotate(world)

    for partner in (world.cso, world.csp):
        old, new = _keys(speaker(partner).call("settlement", "GetSigningKeys", ""))
        assert (old["keyId"], new["keyId"]) == (first.key_id, second.key_id)
        assert old["validUntil"] == new["validFrom"] > old["validFrom"]
        assert "validUntil" not in new
        assert base64.b64decode(old["publicKey"]) == first.public_key
        assert load_der_public_key(base64.b64decode(new["publicKey"])) is not None


def test_key_is_found_by_the_name_that_a_signature_gives(
    world: World, clock: StillClock, speaker: Callable[[Participant], Speaker]
) -> None:
    first = seals.keys(world.env)[-1]
    clock.forward(seconds=60)
    _rotate(world)
    cso = speaker(world.cso)

    def asked(key_id: str) -> list[dict[str, str]]:
        content = f"<keyId>{key_id}</keyId>"
        return _keys(cso.call("settlement", "GetSigningKeys", content))

    (found,) = asked(first.key_id)
    assert found["keyId"] == first.key_id
    assert found["validUntil"]
    assert asked("0" * 32) == []


def test_newest_keys_are_told_where_there_are_many(
    world: World, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "KEYS_MAX", 2)
    for _ in range(3):
        clock.forward(seconds=60)
        _rotate(world)
    known = seals.keys(world.env)

    found = signing_keys.signing_keys(world.env)

    assert [one.key_id for one in found] == [one.key_id for one in known[-2:]]
    (oldest,) = signing_keys.signing_keys(world.env, known[0].key_id)
    assert oldest.valid_until == known[1].valid_from


def test_name_that_is_none_is_refused_by_its_place(
    world: World, speaker: Callable[[Participant], Speaker]
) -> None:
    answer = speaker(world.csp).call(
        "settlement", "GetSigningKeys", "<keyId>house.pem</keyId>"
    )

    assert answer.code == codes.SCHEMA.number
