"""Billing profiles as the operator's acts: stored version by version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING

import pytest

from clearinghouse import codes
from clearinghouse.domain.errors import ClearingHouseError
from clearinghouse.services import approvals, billing
from clearinghouse.services.approved_actions import EXECUTORS
from clearinghouse.storage import audit
from clearinghouse.storage import billing as store
from tests.builders import NOW, make_csp, make_profile
from tests.fixtures.operators import approved, make_operators, set_account
from tests.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from clearinghouse.domain.approvals import Operator
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site

GIVEN: dict[str, str | bool] = {
    "legal_name": "Abc Mobility GmbH",
    "street": "Hauptstrasse 1",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
    "contact_email": "invoices@abc.example",
    "vat_id": "de 136.695.976",
    "is_taxable_dealer": True,
    "iban": "de89 3704 0044 0532 0130 00",
    "bic": "cobadeff",
}


def test_profile_is_stored_compact_and_in_force_from_today(env: Environment) -> None:
    with env.database.begin() as tx:
        make_csp(tx)

    stored = set_account(env, "de*abc", GIVEN)

    assert stored.version == 1
    assert stored.valid_from == NOW.date()
    assert stored.vat_id == "DE136695976"
    assert (stored.iban, stored.bic) == ("DE89370400440532013000", "COBADEFF")
    assert billing.versions(env, "DEABC") == [stored]
    with env.database.begin_read_only() as tx:
        notes = [(one.action, one.object) for one in audit.entries_before(tx)]
    assert ("set billing profile", "DEABC version 1") in notes


def test_next_version_keeps_what_is_not_given_and_drops_what_is_emptied(
    env: Environment,
) -> None:
    with env.database.begin() as tx:
        make_csp(tx)
    first = set_account(env, "DEABC", GIVEN)
    day = date(2027, 1, 1)

    given: dict[str, str | bool] = {"city": "Ulm", "iban": "", "bic": ""}
    second = billing.set_profile(env, "DEABC", given, valid_from=day)

    assert (second.version, second.valid_from, second.city) == (2, day, "Ulm")
    assert (second.iban, second.bic) == (None, None)
    assert second.legal_name == first.legal_name
    assert billing.versions(env, "DEABC") == [first, second]


def test_house_has_a_profile_although_it_is_no_participant(env: Environment) -> None:
    house = env.limits.party_id

    stored = set_account(env, house, GIVEN)

    assert billing.standings(env)[0].profile == stored


def test_profile_of_a_stranger_is_refused(env: Environment) -> None:
    with pytest.raises(ClearingHouseError) as caught:
        billing.set_profile(env, "DEXYZ", GIVEN)

    assert caught.value.code is codes.UNKNOWN_PARTICIPANT


def test_wrong_profile_is_refused_whole_with_all_its_faults(env: Environment) -> None:
    with env.database.begin() as tx:
        make_csp(tx)

    with pytest.raises(ClearingHouseError) as caught:
        billing.set_profile(env, "DEABC", {"iban": "DE00", "country": "DE"})

    assert caught.value.code is codes.SEMANTIC
    paths = {item.path for item in caught.value.items}
    assert paths == {
        "legalName",
        "street",
        "city",
        "postcode",
        "contactEmail",
        "iban",
    }
    with pytest.raises(ClearingHouseError):
        billing.versions(env, "DEABC")


def test_list_says_what_each_party_lacks(env: Environment) -> None:
    with env.database.begin() as tx:
        make_csp(tx)
        make_csp(tx, "DEDEF")
    billing.set_profile(env, "DEABC", {**GIVEN, "iban": "", "bic": ""})

    standings = {one.party_id: one.gaps for one in billing.standings(env)}

    assert standings["DEABC"] == ("IBAN",)
    assert standings["DEDEF"] == ("billing profile",)


OTHER = "DE75512108001245126199"


@pytest.mark.parametrize(
    ("steps", "moves"),
    [
        ([{"iban": OTHER}], True),
        ([{"bic": "DEUTDEFF"}], True),
        ([{"iban": "", "bic": ""}, {"iban": OTHER}], True),
        ([{"city": "Ulm"}], False),
        ([{"iban": "", "bic": ""}], False),
        ([{"iban": "", "bic": ""}, {"iban": GIVEN["iban"], "bic": "COBADEFF"}], False),
    ],
)
def test_new_account_needs_two_operators_and_nothing_else_does(
    env: Environment,
    steps: list[dict[str, str | bool]],
    moves: bool,  # noqa: FBT001 - a case
) -> None:
    with env.database.begin() as tx:
        make_csp(tx)
    set_account(env, "DEABC", GIVEN)
    for step in steps[:-1]:
        billing.set_profile(env, "DEABC", step)
    if not moves:
        assert billing.set_profile(env, "DEABC", steps[-1]).version == len(steps) + 1
        return

    with pytest.raises(ClearingHouseError) as alone:
        billing.set_profile(env, "DEABC", steps[-1])
    before = billing.versions(env, "DEABC")
    done = approved(
        env, lambda by: billing.request_profile(env, by, "DEABC", steps[-1])
    )

    assert alone.value.code is codes.ACCOUNT_FOUR_EYES
    assert len(before) == len(steps)
    after = billing.versions(env, "DEABC")
    assert len(after) == len(steps) + 1
    for name, value in steps[-1].items():
        assert getattr(after[-1], name) == value
    assert done.outcome == f"DEABC: billing profile version {len(after)}"


@pytest.mark.parametrize("party", ["DEABC", "CHCLR"])
def test_first_account_needs_two_operators_of_a_partner_and_of_the_house(
    env: Environment, party: str
) -> None:
    with env.database.begin() as tx:
        make_csp(tx)
    assert env.limits.party_id == "CHCLR"

    with pytest.raises(ClearingHouseError) as alone:
        billing.set_profile(env, party, GIVEN)
    with pytest.raises(ClearingHouseError) as nothing:
        billing.versions(env, party)
    billing.set_profile(env, party, {**GIVEN, "iban": "", "bic": ""})
    with pytest.raises(ClearingHouseError) as later:
        billing.set_profile(env, party, {"iban": OTHER})
    stored = set_account(env, party, {"iban": OTHER})

    assert alone.value.code is later.value.code is codes.ACCOUNT_FOUR_EYES
    assert nothing.value.code is codes.UNKNOWN_PARTICIPANT
    assert (stored.iban, stored.version) == (OTHER, 2)


def test_of_two_requests_for_a_first_account_one_is_done(env: Environment) -> None:
    with env.database.begin() as tx:
        make_csp(tx)
    anna, ben = make_operators(env)
    older, newer = (
        billing.request_profile(env, anna, "DEABC", {**GIVEN, "iban": iban, "bic": ""})
        for iban in (OTHER, THIRD)
    )

    approvals.approve(env, ben, newer.approval_id, EXECUTORS)
    with pytest.raises(ClearingHouseError) as caught:
        approvals.approve(env, ben, older.approval_id, EXECUTORS)

    assert caught.value.code is codes.ACCOUNT_CHANGED
    assert [one.iban for one in billing.versions(env, "DEABC")] == [THIRD]


def _with_account(env: Environment) -> tuple[Operator, Operator]:
    """Admit a CSP and give it an account; return who acts."""
    with env.database.begin() as tx:
        make_csp(tx)
    set_account(env, "DEABC", GIVEN)
    return make_operators(env)


def test_what_was_changed_while_an_account_waits_stays_changed(
    env: Environment,
) -> None:
    anna, ben = _with_account(env)
    asked = billing.request_profile(env, anna, "DEABC", {"iban": OTHER})

    billing.set_profile(env, "DEABC", {"city": "Ulm"})
    approvals.approve(env, ben, asked.approval_id, EXECUTORS)

    last = billing.versions(env, "DEABC")[-1]
    assert (last.city, last.iban, last.version) == ("Ulm", OTHER, 3)


THIRD = "NL91ABNA0417164300"


def test_older_of_two_requests_brings_no_account_in_after_the_newer(
    env: Environment,
) -> None:
    anna, ben = _with_account(env)
    older, newer = (
        billing.request_profile(env, anna, "DEABC", {"iban": iban, "bic": ""})
        for iban in (OTHER, THIRD)
    )

    approvals.approve(env, ben, newer.approval_id, EXECUTORS)
    with pytest.raises(ClearingHouseError) as caught:
        approvals.approve(env, ben, older.approval_id, EXECUTORS)
    asked_again = billing.request_profile(env, anna, "DEABC", {"iban": OTHER})
    before = billing.versions(env, "DEABC")
    approvals.approve(env, ben, asked_again.approval_id, EXECUTORS)

    named = older.wanted.payload["replaces_account"]
    assert named == "DE89370400440532013000 COBADEFF"
    assert caught.value.code is codes.ACCOUNT_CHANGED
    (item,) = caught.value.items
    assert (item.path, item.expected, item.found) == (
        "iban",
        named,
        f"{THIRD} (change 1)",
    )
    assert [one.iban for one in before] == ["DE89370400440532013000", THIRD]
    assert billing.versions(env, "DEABC")[-1].iban == OTHER


@pytest.mark.parametrize("begins", [NOW.date(), date(2027, 1, 1)])
def test_request_is_over_when_the_account_it_replaces_was_taken_away(
    env: Environment, begins: date
) -> None:
    anna, ben = _with_account(env)
    asked = billing.request_profile(
        env, anna, "DEABC", {"iban": OTHER}, valid_from=begins
    )

    billing.set_profile(env, "DEABC", {"iban": "", "bic": ""})
    with pytest.raises(ClearingHouseError) as caught:
        approvals.approve(env, ben, asked.approval_id, EXECUTORS)

    assert caught.value.code is codes.ACCOUNT_CHANGED
    assert caught.value.items[0].found == "none (change 1)"
    assert billing.versions(env, "DEABC")[-1].iban is None


@pytest.mark.parametrize("first", [GIVEN, None], ids=["an account", "none"])
def test_request_is_over_although_the_account_it_replaces_is_back(
    env: Environment, first: dict[str, str | bool] | None
) -> None:
    with env.database.begin() as tx:
        make_csp(tx)
    if first is not None:
        set_account(env, "DEABC", first)
    anna, ben = make_operators(env)
    wanted = {**GIVEN, "iban": OTHER, "bic": ""}
    left, taken = (
        billing.request_profile(env, one, "DEABC", wanted) for one in (anna, ben)
    )

    approvals.approve(env, anna, taken.approval_id, EXECUTORS)
    if first is None:
        billing.set_profile(env, "DEABC", {"iban": "", "bic": ""})
    else:
        again = billing.request_profile(env, anna, "DEABC", first)
        approvals.approve(env, ben, again.approval_id, EXECUTORS)
    with pytest.raises(ClearingHouseError) as caught:
        approvals.approve(env, ben, left.approval_id, EXECUTORS)

    assert caught.value.code is codes.ACCOUNT_CHANGED
    named = left.wanted.payload["replaces_account"]
    number = 1 if first is None else 2
    assert caught.value.items[0].found == f"{named} (change {number})"
    assert billing.versions(env, "DEABC")[-1].iban != OTHER


def test_change_waits_for_another_one_and_stands_on_it(
    env: Environment, site: Site
) -> None:
    with env.database.begin() as tx:
        make_csp(tx)
    set_account(env, "DEABC", GIVEN)

    with ThreadPoolExecutor(1) as pool:
        with env.database.begin() as tx:
            store.lock_profile(tx, "DEABC")
            later = pool.submit(billing.set_profile, env, "DEABC", {"city": "Ulm"})
            site.until_locked_out(later)
            store.add_profile(tx, make_profile(iban=OTHER), at=NOW)
        stored = later.result(PATIENCE_SECONDS)

    assert (stored.city, stored.iban, stored.version) == ("Ulm", OTHER, 3)
