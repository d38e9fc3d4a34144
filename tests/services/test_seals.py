"""Seals: a closed window gets its block once, and a changed SDR is found and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import select

from clearinghouse import codes
from clearinghouse.domain import merkle
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.sdrs import Verdict
from clearinghouse.domain.seals import NO_BLOCK, PairSeal, pair_row, text_hash
from clearinghouse.services import sdrs, seals
from clearinghouse.services.sdrs import Word
from clearinghouse.storage import seals as store
from clearinghouse.storage import signing
from clearinghouse.storage.tables.sdrs import sdr
from clearinghouse.storage.tables.seals import audit_block, audit_pair
from tests.builders import make_sender
from tests.services.sdr_world import World, count_of, make_world, message
from tests.services.settling import Debt, book_debts, kill_writers

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.seals import SealedBlock
    from tests.fixtures.database import Site


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _block(world: World, window_id: int) -> SealedBlock:
    with world.env.database.begin_read_only() as tx:
        found = store.block_of(tx, window_id)
    assert found is not None
    return found


def _leaves(world: World, window_id: int) -> list[bytes]:
    with world.env.database.begin_read_only() as tx:
        query = select(sdr.c.leaf).where(sdr.c.window_id == window_id)
        return list(tx.execute(query.order_by(sdr.c.sdr_no)).scalars())


def _tamper(site: Site, statement: str) -> None:
    """Change facts as only the owner of the server's disk can."""
    with site.superuser() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(statement.encode())


def test_a_closed_window_is_sealed_once_from_its_leaves_up(world: World) -> None:
    records = [world.session() for _ in range(5)]
    world.submit(records[:2])
    world.submit([*records[2:], world.session(world.other_csp)])
    window = world.close().window

    assert seals.seal_pending(world.env) == 1
    assert seals.seal_pending(world.env) == 0

    leaves = _leaves(world, window.window_id)
    pairs = [
        PairSeal(window.window_id, "EUR", csp, "CHREP", n, n * 23_456, n * 1149, root)
        for csp, n, root in (
            ("DEABC", 5, merkle.root_of(leaves[:5])),
            ("FRXYZ", 1, merkle.root_of(leaves[5:])),
        )
    ]
    block = _block(world, window.window_id)
    rows = [pair_row(pair).replace("CHREP", world.cso.party_id) for pair in pairs]
    with world.env.database.begin_read_only() as tx:
        assert store.pair_lines(tx, window.window_id) == rows
    assert block.root == merkle.root_of(merkle.leaf_of(row.encode()) for row in rows)
    assert (block.seq, block.previous) == (1, NO_BLOCK)
    assert signing.is_signed(
        world.env.signer.key().public_key, block.signed_text.encode(), block.signature
    )


def test_each_block_names_the_one_before_it_and_an_empty_window_has_one_too(
    world: World,
) -> None:
    world.submit([world.session()])
    first = world.close("empty").window
    second = world.close("after").window

    assert seals.seal_pending(world.env) == 2

    blocks = [_block(world, one.window_id) for one in (first, second)]
    assert [block.seq for block in blocks] == [1, 2]
    assert blocks[1].previous == blocks[0].hash == text_hash(blocks[0].signed_text)
    assert blocks[1].root == merkle.EMPTY_ROOT
    assert seals.blocks(world.env) == (blocks, [])


def test_an_open_window_is_not_sealed(world: World) -> None:
    world.submit([world.session()])

    assert seals.seal_pending(world.env) == 0


def test_sdrs_that_are_held_or_rejected_are_not_under_the_root(world: World) -> None:
    kept, rejected = world.session(), world.session()
    world.submit([kept, rejected])
    word = Word(
        submitter_party=world.cso.party_id,
        sdr_id=rejected.sdr_id,
        verdict=Verdict.REJECTED,
        reason="not mine",
    )
    exchange = message(make_sender(world.csp), operation="ConfirmSdrs")
    sdrs.confirm_sdrs(world.env, exchange, [word], lambda _: b"<answer/>")
    window = world.close().window

    seals.seal_pending(world.env)

    with world.env.database.begin_read_only() as tx:
        (root,) = tx.execute(select(audit_pair.c.root)).scalars()
    assert root == _leaves(world, window.window_id)[0]


def test_sdrs_without_a_leaf_get_one_from_their_row(
    world: World,
) -> None:
    book_debts(world, [Debt(world.csp, world.cso, 100)])
    window = world.close().window

    seals.seal_pending(world.env)

    assert _leaves(world, window.window_id) == [None]
    assert len(_block(world, window.window_id).root) == merkle.HASH_BYTES


def test_an_sdr_that_was_changed_is_named_and_nothing_is_sealed(
    world: World, site: Site
) -> None:
    world.submit([world.session(), world.session()])
    world.close()
    _tamper(site, "UPDATE clearing.sdr SET charge_seconds = 1 WHERE record_no = 1")

    with pytest.raises(ClearingHouseError) as caught:
        seals.seal_pending(world.env)

    assert caught.value.code is codes.SEAL_BROKEN
    assert [item.path for item in caught.value.items] == ["sdr 2"]
    assert count_of(world, audit_block) == count_of(world, audit_pair) == 0


def test_an_sdr_that_is_missing_is_found_by_the_claim(world: World, site: Site) -> None:
    world.submit([world.session(), world.session()])
    world.close()
    _tamper(site, "DELETE FROM clearing.sdr WHERE record_no = 1")

    with pytest.raises(ClearingHouseError) as caught:
        seals.seal_pending(world.env)

    assert caught.value.code is codes.SEAL_BROKEN
    assert f"EUR DEABC {world.cso.party_id}" in caught.value.detail


@pytest.mark.parametrize("table", ["clearing.audit_pair", "clearing.audit_block"])
def test_sealing_that_is_killed_goes_on(world: World, site: Site, table: str) -> None:
    world.submit([world.session()])
    world.close()
    with site.superuser() as admin:
        kill_writers(admin, table)
        with pytest.raises(ClearingHouseError):
            seals.seal_pending(world.env)
        kill_writers(admin, None)
    assert count_of(world, audit_pair) == 0

    assert seals.seal_pending(world.env) == 1
    assert seals.blocks(world.env)[1] == []


def test_blocks_and_pairs_cannot_be_changed(world: World, site: Site) -> None:
    world.submit([world.session()])
    world.close()
    seals.seal_pending(world.env)

    with site.superuser() as admin:
        for table in (b"audit_block", b"audit_pair", b"signing_key"):
            with pytest.raises(psycopg.errors.RestrictViolation):
                admin.execute(b"DELETE FROM clearing." + table)


def test_the_chain_is_checked_with_the_key_that_was_in_use(
    world: World, site: Site
) -> None:
    world.close("second")
    seals.seal_pending(world.env)
    world.env.signer.__init__()  # type: ignore[misc]  # as if the file were another
    world.close("third")
    seals.seal_pending(world.env)
    assert len(seals.keys(world.env)) == 2
    assert seals.blocks(world.env)[1] == []

    _tamper(site, "UPDATE clearing.audit_block SET signature = '\\x3000' WHERE seq = 1")
    _tamper(site, "UPDATE clearing.audit_block SET root = previous WHERE seq = 2")

    assert seals.blocks(world.env)[1] == [
        "block 1 is not signed by a key of the house",
        "block 2 says other things than its columns",
    ]
