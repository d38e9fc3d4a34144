"""Personal data: sealed one by one, found by keyed digest, forgotten for good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from clearinghouse.codes import UNAVAILABLE
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.storage.database import Database
from clearinghouse.storage.vault import Found, Vault
from tests.builders import NOW, seconds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fixtures.database import Site

_RFID = SubjectKind.RFID


def test_value_comes_back_for_its_pseudonym(vault: Vault) -> None:
    enrolled = vault.enrol(1, _RFID, ["04A1B2C3", "04FFFFFF"], at=NOW)
    number = enrolled.subjects["04A1B2C3"]

    found = vault.find_subjects(_RFID, ["04A1B2C3", "04000000"])
    revealed = vault.reveal([number, 999])

    assert enrolled.claimed == frozenset()
    assert found == {"04A1B2C3": Found(number, 1)}
    assert set(revealed) == {number}
    assert (revealed[number].value, revealed[number].kind) == ("04A1B2C3", _RFID)
    assert "04A1B2C3" not in repr(revealed)


def test_enrolling_again_gives_the_same_pseudonyms(vault: Vault) -> None:
    first = vault.enrol(1, _RFID, ["A", "B"], at=NOW)

    second = vault.enrol(1, _RFID, ["B", "C", "A", "A"], at=seconds(1))

    assert second.subjects["A"] == first.subjects["A"]
    assert second.subjects["B"] == first.subjects["B"]
    assert len(set(second.subjects.values())) == 3


def test_value_of_another_csp_is_not_taken_over(vault: Vault) -> None:
    mine = vault.enrol(1, _RFID, ["A"], at=NOW)

    theirs = vault.enrol(2, _RFID, ["A", "B"], at=NOW)

    assert theirs.claimed == {"A"}
    assert set(theirs.subjects) == {"B"}
    assert vault.find_subjects(_RFID, ["A"])["A"] == Found(mine.subjects["A"], 1)


def test_same_text_of_another_kind_is_another_subject(vault: Vault) -> None:
    card = vault.enrol(1, _RFID, ["A"], at=NOW)
    contract = vault.enrol(2, SubjectKind.CONTRACT, ["A"], at=NOW)

    assert contract.claimed == frozenset()
    assert contract.subjects["A"] != card.subjects["A"]


def test_twins_that_enrol_at_once_agree(vault: Vault) -> None:
    values = [f"V{number}" for number in range(200)]

    with ThreadPoolExecutor(4) as pool:
        results = list(
            pool.map(
                lambda order: vault.enrol(1, _RFID, order, at=NOW).subjects,
                [values, values[::-1], values[100:] + values[:100], values],
            )
        )

    assert all(result == results[0] for result in results)
    assert len(results[0]) == 200


@pytest.mark.clause("8-forget")
def test_erased_subject_is_forgotten_and_can_enrol_anew(vault: Vault) -> None:
    old = vault.enrol(1, _RFID, ["A"], at=NOW).subjects["A"]

    erased = vault.erase([old, 999], at=seconds(1))
    again = vault.erase([old], at=seconds(2))

    assert (erased, again) == (1, 0)
    assert vault.find_subjects(_RFID, ["A"]) == {}
    assert vault.reveal([old]) == {}
    assert vault.enrol(2, _RFID, ["A"], at=seconds(3)).subjects["A"] != old


@pytest.mark.clause("8-separate", "8-design")
def test_business_role_cannot_read_the_privacy_schema(
    vault: Vault, database: Database
) -> None:
    vault.enrol(1, _RFID, ["A"], at=NOW)

    with pytest.raises(DBAPIError, match="permission denied"), database.begin() as tx:
        tx.execute(text("SELECT * FROM privacy.subject"))


@pytest.mark.clause("8-separate")
def test_privacy_role_cannot_read_business(site: Site) -> None:
    privacy = Database(site.privacy_url, pool_size=1, role="clearinghouse_privacy")

    with pytest.raises(DBAPIError, match="permission denied"), privacy.begin() as tx:
        tx.execute(text("SELECT * FROM clearing.session"))

    privacy.close()


def test_clear_text_is_nowhere_in_the_database(vault: Vault, site: Site) -> None:
    vault.enrol(1, _RFID, ["04A1B2C3D4E5F6"], at=NOW)

    with site.superuser() as connection:
        row = connection.execute("SELECT * FROM privacy.subject").fetchone()

    assert row is not None
    assert "04A1B2C3D4E5F6" not in str(row)


def test_value_that_was_moved_to_another_row_does_not_open(
    vault: Vault, site: Site
) -> None:
    numbers = vault.enrol(1, _RFID, ["A", "B"], at=NOW).subjects
    with site.superuser() as connection:
        connection.execute(
            """
            UPDATE privacy.subject AS one
            SET key_sealed = other.key_sealed, value_sealed = other.value_sealed
            FROM privacy.subject AS other
            WHERE one.subject_id = %s AND other.subject_id = %s
            """,
            (numbers["A"], numbers["B"]),
        )

    with pytest.raises(ClearingHouseError) as caught:
        vault.reveal([numbers["A"]])

    assert caught.value.code is UNAVAILABLE


def test_small_secret_opens_only_for_its_purpose(vault: Vault) -> None:
    sealed = vault.seal("token", purpose="endpoint 1")

    assert vault.unseal(sealed, purpose="endpoint 1") == "token"
    with pytest.raises(ClearingHouseError):
        vault.unseal(sealed, purpose="endpoint 2")


def test_foreign_key_file_is_noticed_at_once(
    vault: Vault, site: Site, tmp_path: Path
) -> None:
    vault.enrol(1, _RFID, ["A"], at=NOW)
    foreign_path = tmp_path / "foreign.key"
    foreign_path.write_bytes(bytes(32))
    foreign_path.chmod(0o600)
    foreign = Vault(site.privacy_url, key_path=foreign_path, pool_size=1)

    with pytest.raises(ClearingHouseError, match="not the key of this database"):
        foreign.find_subjects(_RFID, ["A"])

    foreign.close()


def test_missing_key_file_is_not_replaced_by_a_new_one(
    vault: Vault, site: Site, tmp_path: Path
) -> None:
    vault.enrol(1, _RFID, ["A"], at=NOW)
    lost = tmp_path / "lost.key"
    late = Vault(site.privacy_url, key_path=lost, pool_size=1)

    with pytest.raises(ClearingHouseError, match="is missing"):
        late.find_subjects(_RFID, ["A"])

    assert not lost.exists()
    late.close()


def test_second_process_uses_the_same_key(
    vault: Vault, site: Site, tmp_path: Path
) -> None:
    number = vault.enrol(1, _RFID, ["A"], at=NOW).subjects["A"]
    second = Vault(site.privacy_url, key_path=tmp_path / "kek.key", pool_size=1)

    assert second.reveal([number])[number].value == "A"
    second.close()


def test_refuses_more_values_than_one_call_may_hold(vault: Vault) -> None:
    with pytest.raises(ValueError, match="at most"):
        vault.find_subjects(_RFID, (str(number) for number in range(50_001)))
