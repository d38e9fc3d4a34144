"""Privacy: what is personal, and that it stays out of sight."""

from __future__ import annotations

import dataclasses

import pytest

from clearinghouse.domain.sessions import Session
from clearinghouse.domain.statements import StatementLine

#: Names of fields that hold personal values.
PERSONAL_FIELDS = frozenset(
    {
        "contract_id",
        "credential",
        "credential_value",
        "password",
        "pin",
        "secret",
        "token_uid",
        "username",
        "value",
    }
)


@pytest.mark.clause("3.2", "8-separate")
def test_business_values_have_no_personal_field() -> None:
    names = {field.name for field in dataclasses.fields(Session)}

    assert not PERSONAL_FIELDS & (names | set(StatementLine._fields))
