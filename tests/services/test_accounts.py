"""Machine accounts as the operator's own acts: added, renewed, shut, opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import access, accounts
from clearinghouse.services.access import Credentials
from clearinghouse.services.accounts import NewAccount
from clearinghouse.services.gate import TOKEN_AGE_SECONDS_MAX
from clearinghouse.storage import audit
from clearinghouse.storage.access import AccountStatus
from tests.builders import make_cso, make_csp
from tests.fixtures.engine import PASSWORD, username
from tests.fixtures.roaming import entry

if TYPE_CHECKING:
    from clearinghouse.services.environment import Environment
    from tests.fixtures.partners import StillClock
    from tests.fixtures.roaming import Roaming

OTHER_PASSWORD = "another long password"
NEW = NewAccount(party_id="DEABC", username="machine", password=PASSWORD)


@pytest.fixture
def admitted(env: Environment) -> None:
    """Admit two partners."""
    with env.database.begin() as tx:
        make_csp(tx)
        make_cso(tx)


def log_in(env: Environment, password: str = PASSWORD) -> str:
    """Return the token of a login."""
    presented = Credentials(party_id="DEABC", username="machine", password=password)
    return access.login(env, presented).token


def acts(env: Environment) -> list[tuple[str, str]]:
    """Return the audit trail from its beginning."""
    with env.database.begin_read_only() as tx:
        entries = audit.entries_before(tx)
    return [(one.action, one.object) for one in reversed(entries)]


@pytest.mark.usefixtures("admitted")
@pytest.mark.clause("7.2-login")
def test_added_account_logs_in_for_its_partner_only(env: Environment) -> None:
    accounts.add_account(env, NEW)

    sender = access.authenticate(env, log_in(env))
    stranger = Credentials(party_id="CHREP", username="machine", password=PASSWORD)
    with pytest.raises(ClearingHouseError) as refused:
        access.login(env, stranger)

    assert sender.party_id == "DEABC"
    assert refused.value.code is codes.LOGIN_FAILED
    assert acts(env) == [("add account", "DEABC machine")]


@pytest.mark.usefixtures("admitted")
@pytest.mark.parametrize(
    ("username", "password", "path"),
    [
        ("", PASSWORD, "username"),
        ("two words", PASSWORD, "username"),
        ("x" * 65, PASSWORD, "username"),
        ("machine", "short", "password"),
        ("machine", "x" * 257, "password"),
        ("machine", "with\ta\ttabulator", "password"),
    ],
)
def test_refuses_what_login_would_not_take(
    env: Environment, username: str, password: str, path: str
) -> None:
    new = NewAccount(party_id="DEABC", username=username, password=password)

    with pytest.raises(ClearingHouseError) as refused:
        accounts.add_account(env, new)

    assert refused.value.code is codes.SEMANTIC
    assert [item.path for item in refused.value.items] == [path]
    assert accounts.all_accounts(env) == ()


@pytest.mark.usefixtures("admitted")
def test_user_name_is_one_partners_only(env: Environment) -> None:
    accounts.add_account(env, NEW)
    twin = NewAccount(party_id="CHREP", username="machine", password=PASSWORD)

    with pytest.raises(ClearingHouseError) as refused:
        accounts.add_account(env, twin)

    assert refused.value.code is codes.SEMANTIC
    assert [one.party_id for one in accounts.all_accounts(env)] == ["DEABC"]


@pytest.mark.usefixtures("admitted")
def test_accounts_are_listed_of_all_or_of_one_partner(env: Environment) -> None:
    accounts.add_account(env, NEW)
    other = NewAccount(party_id="CHREP", username="another", password=PASSWORD)
    accounts.add_account(env, other)

    everybody = accounts.all_accounts(env)
    one = accounts.all_accounts(env, party_id="DEABC")
    with pytest.raises(ClearingHouseError) as nobody:
        accounts.all_accounts(env, party_id="FRXXX")

    assert [found.username for found in everybody] == ["another", "machine"]
    assert [found.username for found in one] == ["machine"]
    assert nobody.value.code is codes.UNKNOWN_PARTICIPANT


@pytest.mark.usefixtures("admitted")
@pytest.mark.clause("7.2-session")
def test_new_password_ends_the_old_one_and_all_its_sessions(env: Environment) -> None:
    accounts.add_account(env, NEW)
    tokens = [log_in(env), log_in(env)]

    ended = accounts.change_password(env, "machine", OTHER_PASSWORD)

    assert ended == 2
    for token in tokens:
        with pytest.raises(ClearingHouseError):
            access.authenticate(env, token, from_database=True)
    with pytest.raises(ClearingHouseError):
        log_in(env)
    assert access.authenticate(env, log_in(env, OTHER_PASSWORD)).party_id == "DEABC"
    assert acts(env)[-1] == ("change password", "DEABC machine")


@pytest.mark.usefixtures("admitted")
@pytest.mark.clause("7.2-session")
def test_tokens_of_a_disabled_account_stop_working_and_stay_so(
    env: Environment, clock: StillClock
) -> None:
    accounts.add_account(env, NEW)
    token = log_in(env)
    access.authenticate(env, token)

    ended = accounts.disable(env, "machine")

    with pytest.raises(ClearingHouseError) as at_once:
        access.authenticate(env, token, from_database=True)
    with pytest.raises(ClearingHouseError) as no_login:
        log_in(env)
    accounts.enable(env, "machine")
    with pytest.raises(ClearingHouseError) as enabled:
        access.authenticate(env, token, from_database=True)
    assert ended == 1
    assert at_once.value.code is codes.TOKEN
    assert no_login.value.code is codes.LOGIN_FAILED
    assert enabled.value.code is codes.TOKEN
    clock.forward(seconds=60)
    assert access.authenticate(env, log_in(env)).party_id == "DEABC"
    assert [action for action, _ in acts(env)[1:]] == [
        "set account disabled",
        "set account active",
    ]


@pytest.mark.usefixtures("admitted")
def test_server_that_has_just_read_a_token_forgets_a_disabled_account_in_seconds(
    env: Environment, clock: StillClock
) -> None:
    accounts.add_account(env, NEW)
    token = log_in(env)
    access.authenticate(env, token)

    accounts.disable(env, "machine")
    clock.forward(seconds=TOKEN_AGE_SECONDS_MAX)

    with pytest.raises(ClearingHouseError):
        access.authenticate(env, token)


def test_disabled_account_changes_no_list_from_the_same_moment(
    env: Environment, roaming: Roaming
) -> None:
    listed = roaming.list_cards(entry())
    accounts.disable(env, username(roaming.csp.party_id))

    answer = roaming.list_cards(entry(status="BLOCKED"))

    assert listed.code == 0
    assert answer.is_fault
    assert answer.code == codes.TOKEN.number


@pytest.mark.usefixtures("admitted")
def test_disabled_account_is_listed_as_one_that_may_not_log_in(
    env: Environment,
) -> None:
    accounts.add_account(env, NEW)

    accounts.disable(env, "machine")

    (shown,) = accounts.all_accounts(env)
    assert shown.status is AccountStatus.DISABLED
    assert not shown.may_log_in


@pytest.mark.usefixtures("admitted")
def test_account_that_is_not_there_is_named(env: Environment) -> None:
    for change in (accounts.disable, accounts.enable):
        with pytest.raises(ClearingHouseError, match="nobody") as refused:
            change(env, "nobody")
        assert refused.value.code is codes.SEMANTIC
    with pytest.raises(ClearingHouseError, match="nobody"):
        accounts.change_password(env, "nobody", PASSWORD)
    assert acts(env) == []


def test_password_of_a_new_account_is_not_printed() -> None:
    assert PASSWORD not in repr(NEW)
