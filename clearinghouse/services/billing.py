"""Billing profiles: set by the operator, version by version; listed with their gaps.

Where a version would let money go to a first account, or to another than before, one
operator asks for it and another one approves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from clearinghouse.codes import (
    ACCOUNT_CHANGED,
    ACCOUNT_FOUR_EYES,
    SEMANTIC,
    UNKNOWN_PARTICIPANT,
)
from clearinghouse.domain import billing as rules
from clearinghouse.domain.approvals import Approval, Operator, Wanted
from clearinghouse.domain.billing import BillingProfile
from clearinghouse.domain.errors import ClearingHouseError, Item
from clearinghouse.identifiers import party_id as party_ids
from clearinghouse.services import approvals
from clearinghouse.services.environment import Environment
from clearinghouse.services.participants import note
from clearinghouse.storage import billing, participants

#: What is done to a party's profile, by one operator or by two.
SET = "set billing profile"

#: Where a request names the account that it replaces.
REPLACES = "replaces_account"

#: What may be left out of a profile: an empty text takes it away again.
_OPTIONAL = ("vat_id", "tax_number", "iban", "bic")

#: What a first version must be given.
_NEEDED = ("legal_name", "street", "city", "postcode", "country", "contact_email")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A party, its profile in force today if it has one, and what is lacking."""

    party_id: str
    name: str
    profile: BillingProfile | None
    gaps: tuple[str, ...]


def set_profile(
    env: Environment,
    party_id: str,
    given: Mapping[str, str | bool],
    *,
    valid_from: date | None = None,
) -> BillingProfile:
    """Store the next version of a party's profile and return it.

    ``given`` names fields of :class:`BillingProfile`; the rest stays as in the version
    before, and an empty text takes an optional field away. ``valid_from`` is today when
    it is not given. Raises :class:`ClearingHouseError`: ``UNKNOWN_PARTICIPANT``;
    ``CH.SEMANTIC`` with all that is wrong; ``ACCOUNT_FOUR_EYES`` when money would go to
    another account: :func:`request_profile` asks for that.
    """
    begins = env.clock.now().date() if valid_from is None else valid_from
    with env.database.begin() as tx:
        profile, moves = _next(tx, env, party_id, given, begins)
        if moves:
            raise ClearingHouseError(ACCOUNT_FOUR_EYES, profile.party_id)
        return _stored(tx, env, profile)


def request_profile(
    env: Environment,
    by: Operator,
    party_id: str,
    given: Mapping[str, str | bool],
    *,
    valid_from: date | None = None,
) -> Approval:
    """Ask for the next version of a profile; another operator approves it.

    Raises as :func:`set_profile`, but for ``ACCOUNT_FOUR_EYES``.
    """
    begins = env.clock.now().date() if valid_from is None else valid_from
    with env.database.begin() as tx:
        profile, _ = _next(tx, env, party_id, given, begins)
        replaces = _replaced(tx, env, profile)
        payload = {**given, "valid_from": begins.isoformat(), REPLACES: replaces}
        wanted = Wanted(action=SET, object=profile.party_id, payload=payload)
        return approvals.request(tx, env, by, wanted)


def set_approved(tx: Connection, env: Environment, approval: Approval) -> str:
    """Store the version that two operators want: what the second word does.

    It stands on the version of today: what was changed meanwhile stays changed. Raises
    :class:`ClearingHouseError` (``ACCOUNT_CHANGED``) when the account that it replaces
    is another by now: a request that lay about brings no older account back.
    """
    given = dict(approval.wanted.payload)
    begins = date.fromisoformat(str(given.pop("valid_from")))
    replaces = given.pop(REPLACES, None)
    fields = {
        name: value for name, value in given.items() if isinstance(value, str | bool)
    }
    profile, _ = _next(tx, env, approval.wanted.object, fields, begins)
    if (found := _replaced(tx, env, profile)) != replaces:
        item = Item(
            code=ACCOUNT_CHANGED, path="iban", expected=str(replaces), found=found
        )
        raise ClearingHouseError(ACCOUNT_CHANGED, profile.party_id, (item,))
    stored = _stored(tx, env, profile)
    return f"{stored.party_id}: billing profile version {stored.version}"


def _next(
    tx: Connection,
    env: Environment,
    party_id: str,
    given: Mapping[str, str | bool],
    begins: date,
) -> tuple[BillingProfile, bool]:
    """Return the next version of a profile, and whether money would go elsewhere.

    Nobody else adds a version until the transaction ends.
    """
    party = party_ids.compact(party_id)
    if party != env.limits.party_id and (
        participants.participant_by_party_id(tx, party) is None
    ):
        raise ClearingHouseError(UNKNOWN_PARTICIPANT, f"no partner {party_id}")
    billing.lock_profile(tx, party)
    versions = billing.versions_of(tx, party)
    fields = _fields(versions[-1] if versions else None, given)
    profile = BillingProfile(party_id=party, valid_from=begins, **fields)
    wrong = rules.problems(profile)
    if wrong:
        raise ClearingHouseError(SEMANTIC, items=wrong)
    today = env.clock.now().date()
    return profile, rules.moves_account(versions, profile, today=today)


def _replaced(tx: Connection, env: Environment, following: BillingProfile) -> str:
    return rules.replaced_account(
        billing.versions_of(tx, following.party_id),
        begins=following.valid_from,
        today=env.clock.now().date(),
    )


def _stored(
    tx: Connection, env: Environment, profile: BillingProfile
) -> BillingProfile:
    stored = billing.add_profile(tx, profile, at=env.clock.now())
    note(tx, env, SET, f"{stored.party_id} version {stored.version}")
    return stored


def versions(env: Environment, party_id: str) -> list[BillingProfile]:
    """Return all versions of a party's profile, oldest first.

    Raises :class:`ClearingHouseError` (``UNKNOWN_PARTICIPANT``) when there is none.
    """
    with env.database.begin_read_only() as tx:
        found = billing.versions_of(tx, party_ids.compact(party_id))
    if not found:
        raise ClearingHouseError(
            UNKNOWN_PARTICIPANT, f"no billing profile of {party_id}"
        )
    return found


def standings(env: Environment) -> list[Standing]:
    """Return how the house and each partner stand: profile in force, what it lacks."""
    today = env.clock.now().date()
    with env.database.begin_read_only() as tx:
        parties = [(env.limits.party_id, env.limits.name)]
        parties += [(p.party_id, p.name) for p in participants.all_participants(tx)]
        profiles = billing.versions_by_party(tx, [party for party, _ in parties])
    found = []
    for party, name in parties:
        profile = rules.profile_in_force(profiles.get(party, ()), today)
        found.append(
            Standing(
                party_id=party,
                name=name,
                profile=profile,
                gaps=rules.gaps(profile),
            )
        )
    return found


def _fields(
    before: BillingProfile | None, given: Mapping[str, str | bool]
) -> dict[str, Any]:
    """Return the fields of the next version.

    Raises :class:`ClearingHouseError` (``CH.SEMANTIC``) for a first version without
    what every profile needs.
    """
    fields: dict[str, Any] = {}
    if before is not None:
        fields = {
            name: getattr(before, name)
            for name in BillingProfile.__dataclass_fields__
            if name not in {"party_id", "valid_from", "version"}
        }
    for name, value in given.items():
        wanted = value.strip() if isinstance(value, str) else value
        fields[name] = None if wanted == "" and name in _OPTIONAL else wanted
    if isinstance(vat_id := fields.get("vat_id"), str):
        fields["vat_id"] = rules.compact_vat_id(vat_id)
    for name in ("iban", "bic"):
        if isinstance(text := fields.get(name), str):
            fields[name] = rules.compact_iban(text)
    for name in _NEEDED:
        fields.setdefault(name, "")
    return fields
