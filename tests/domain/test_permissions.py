"""Permissions: one table, default deny."""

from __future__ import annotations

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.permissions import PERMISSIONS, RowRule, require

CSP, CSO = frozenset({Role.CSP}), frozenset({Role.CSO})


@pytest.mark.clause("7.2-token")
@pytest.mark.parametrize(
    ("operation", "roles"),
    [
        ("PutCredentials", CSO),
        ("ConfirmSdrs", CSO),
        ("StartSession", CSO),
        ("PutEvses", CSP),
        ("GetCredentials", CSP),
        ("CloseWindow", CSP | CSO),
        ("login", CSP),
        ("Login", frozenset()),
    ],
)
def test_what_is_not_allowed_is_refused(operation: str, roles: frozenset[Role]) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        require(operation, roles)

    assert caught.value.code is codes.NOT_AUTHORISED


@pytest.mark.clause("4.2-dual", "4.2-visited")
def test_one_of_two_roles_is_enough() -> None:
    assert require("PutEvses", CSP | CSO).row_rule is RowRule.SELF
    assert require("SubmitSdrs", CSP) == require("SubmitSdrs", CSO)


@pytest.mark.clause("7.2-session")
def test_only_the_login_needs_no_token() -> None:
    open_to_all = [name for name, rule in PERMISSIONS.items() if not rule.needs_token]

    assert open_to_all == ["Login"]
    assert PERMISSIONS["Login"].row_rule is RowRule.ANYONE


@pytest.mark.clause("8-min")
def test_every_operation_after_login_is_bound_to_rows() -> None:
    unbound = [
        name
        for name, rule in PERMISSIONS.items()
        if rule.row_rule is RowRule.ANYONE and rule.needs_token
    ]

    assert unbound == []
