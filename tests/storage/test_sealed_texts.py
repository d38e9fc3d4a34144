"""Longer texts of persons: sealed under their keys, put in through a slot."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.storage import sealed_texts
from clearinghouse.storage.sealed_texts import ClearText
from tests.builders import NOW

if TYPE_CHECKING:
    from clearinghouse.storage.database import Database
    from clearinghouse.storage.sealed_texts import SealedText
    from clearinghouse.storage.vault import Vault
    from tests.fixtures.database import Site

_RFID = SubjectKind.RFID
_TEXT = 'OCMF|{"ID":"04A1B2C3"}|ä'


def clear(
    subject_id: int | None = None, sent: tuple[SubjectKind, str] | None = None
) -> ClearText:
    return ClearText(text_id=uuid4(), subject_id=subject_id, sent=sent, text=_TEXT)


def keep(database: Database, vault: Vault, *wanted: ClearText) -> list[UUID]:
    """Seal texts and put them in; return their ids."""
    sealed = vault.seal_texts(wanted)
    with database.begin() as tx:
        sealed_texts.keep(tx, sealed, at=NOW)
    return [one.text_id for one in wanted]


def test_a_text_comes_back_under_a_persons_key_and_under_its_own(
    vault: Vault, database: Database
) -> None:
    person = vault.enrol(1, _RFID, ["04A1B2C3"], at=NOW).subjects["04A1B2C3"]

    ids = keep(database, vault, clear(person), clear(), clear(sent=(_RFID, "04FF")))

    assert vault.reveal_texts([*ids, uuid4()]) == dict.fromkeys(ids, _TEXT)


@pytest.mark.clause("8-separate")
def test_clear_text_is_nowhere_and_business_cannot_look(
    vault: Vault, database: Database, site: Site
) -> None:
    wanted = clear()
    keep(database, vault, wanted)

    assert "04A1B2C3" not in repr(wanted)
    with site.superuser() as connection:
        rows = connection.execute("SELECT * FROM privacy.sealed_text").fetchall()
    assert b"04A1B2C3" not in b"".join(
        bytes(one) for row in rows for one in row if isinstance(one, bytes)
    )
    with pytest.raises(DBAPIError, match="permission denied"), database.begin() as tx:
        tx.execute(text("SELECT * FROM privacy.sealed_text"))


def _fail_after(database: Database, sealed: list[SealedText]) -> None:
    with database.begin() as tx:
        sealed_texts.keep(tx, sealed, at=NOW)
        raise ZeroDivisionError


def test_what_is_rolled_back_is_not_kept(vault: Vault, database: Database) -> None:
    wanted = clear()

    with suppress(ZeroDivisionError):
        _fail_after(database, vault.seal_texts([wanted]))

    assert vault.reveal_texts([wanted.text_id]) == {}


@pytest.mark.clause("8-forget")
def test_a_forgotten_persons_texts_are_gone_and_none_are_sealed_anew(
    vault: Vault, database: Database, site: Site
) -> None:
    person = vault.enrol(1, _RFID, ["04A1B2C3"], at=NOW).subjects["04A1B2C3"]
    of_person, before, others = keep(
        database,
        vault,
        clear(person),
        clear(sent=(_RFID, "04A1B2C3")),
        clear(sent=(_RFID, "04FFFFFF")),
    )

    vault.erase([person], at=NOW)

    assert vault.seal_texts([clear(person)]) == []
    assert set(vault.reveal_texts([of_person, before, others])) == {others}
    with site.superuser() as connection:
        left = connection.execute("SELECT text_id FROM privacy.sealed_text").fetchall()
    assert left == [(others,)]


def test_a_text_that_was_moved_does_not_open(
    vault: Vault, database: Database, site: Site
) -> None:
    one, other = keep(database, vault, clear(), clear())
    with site.superuser() as connection:
        connection.execute(
            """
            UPDATE privacy.sealed_text AS to_row
            SET text_sealed = from_row.text_sealed, key_sealed = from_row.key_sealed
            FROM privacy.sealed_text AS from_row
            WHERE to_row.text_id = %s AND from_row.text_id = %s
            """,
            (one, other),
        )
        connection.commit()

    with pytest.raises(ClearingHouseError) as refused:
        vault.reveal_texts([one])

    assert refused.value.code is UNAVAILABLE
