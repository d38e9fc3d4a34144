"""Tariffs: what a partner publishes, and what the partners that pay it may see.

A published version never changes; what replaces it begins in the future, so that no
session of the past gets another price. A tariff made for one receiver is nobody else's
business (clause 4.3-I3, billing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from sqlalchemy import Connection

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.agreements import Agreement, Module, goes_through
from clearinghouse.domain.errors import Item
from clearinghouse.domain.exchange import Exchange, Sender
from clearinghouse.domain.participants import Participant
from clearinghouse.domain.tariff_checks import check_change, check_tariff
from clearinghouse.domain.tariffs import Tariff, TariffVersion, digest
from clearinghouse.services.environment import Environment
from clearinghouse.services.outcomes import Refusal, partly
from clearinghouse.services.publishers import publishers
from clearinghouse.storage import agreements, messages, participants, tariffs
from clearinghouse.storage.feeds import Page, parse_cursor
from clearinghouse.storage.tariffs import Publication


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedTariff:
    """A tariff to publish, for one receiver or, without one, for all."""

    tariff: Tariff
    receiver_party: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTariff:
    """A version of a tariff as its publisher or its receiver sees it."""

    publisher_party: str
    receiver_party: str | None
    version: int
    tariff: Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The versions that the tariffs got, and what is wrong with the others."""

    code: Code
    items: tuple[Item, ...]
    tariffs: tuple[ListedTariff, ...]


Render: TypeAlias = Callable[[Published | Refusal], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ground:
    """What offered tariffs are judged against.

    ``receivers`` by party id; ``versions`` by tariff id, which grow with what is
    published.
    """

    receivers: Mapping[str, Participant]
    agreements: tuple[Agreement, ...]
    versions: dict[str, list[TariffVersion]]
    now: datetime


def put_tariffs(
    env: Environment,
    exchange: Exchange,
    offered: tuple[OfferedTariff, ...],
    render: Render,
) -> bytes:
    """Publish the tariffs that are good; what is wrong with one spares the others.

    What says the same as its newest version keeps that version. Only the first
    publication of a tariff may begin in the past.
    """
    publisher_id = exchange.sender.participant_id
    with env.database.begin() as tx:
        stored = messages.claim(tx, exchange)
        if isinstance(stored, bytes):
            return stored
        now = env.clock.now()
        tariffs.lock_publisher(tx, publisher_id)
        ground = _ground(tx, publisher_id, offered, now=now)
        published: list[ListedTariff] = []
        items: list[Item] = []
        for index, one in enumerate(offered):
            wrong = _wrong(one, ground, index)
            if wrong:
                items += wrong
                continue
            version = _publish(tx, publisher_id, one, ground)
            published.append(_listed(version, exchange.sender.party_id, one))
        outcome = Published(
            code=partly(tuple(items)), items=tuple(items), tariffs=tuple(published)
        )
        answer = render(outcome)
        messages.remember(tx, exchange, answer, at=now)
    return answer


def get_tariffs(
    env: Environment,
    sender: Sender,
    *,
    cso_party: str | None,
    cursor: str | None,
    limit: int,
) -> Page[ListedTariff]:
    """Return the versions published after the cursor that concern the sender.

    Its own, and of the partners that it visits those for all and those for itself.
    Raises :class:`ClearingHouseError`: ``CH.CURSOR``, and ``NO_AGREEMENT`` for a
    publisher that it names and may not see.
    """
    place = parse_cursor(cursor)
    mine = sender.participant_id
    with env.database.begin_read_only() as tx:
        seen = publishers(tx, sender, Module.TARIFF, only=cso_party, at=env.clock.now())
        page = tariffs.tariffs_changed(tx, mine, seen, cursor=place, limit=limit)
        receivers = participants.participants_by_id(
            tx, {one.receiver_id for one in page.items if one.receiver_id is not None}
        )
    listed = tuple(
        ListedTariff(
            publisher_party=seen[one.publisher_id],
            receiver_party=(
                None if one.receiver_id is None else receivers[one.receiver_id].party_id
            ),
            version=one.version,
            tariff=one.tariff,
        )
        for one in page.items
    )
    return Page(listed, page.cursor, page.more, page.places)


def _ground(
    tx: Connection,
    publisher_id: int,
    offered: Iterable[OfferedTariff],
    *,
    now: datetime,
) -> _Ground:
    wanted = {one.receiver_party for one in offered if one.receiver_party is not None}
    owners = participants.owners_of_aliases(tx, wanted)
    found = participants.participants_by_id(tx, set(owners.values()))
    versions: dict[str, list[TariffVersion]] = {
        one.tariff.tariff_id: [] for one in offered
    }
    for version in tariffs.versions_of(tx, publisher_id, versions):
        versions[version.tariff.tariff_id].append(version)
    return _Ground(
        receivers={one.party_id: one for one in found.values()},
        agreements=agreements.agreements_with_homes(tx, publisher_id, found),
        versions=versions,
        now=now,
    )


def _wrong(one: OfferedTariff, ground: _Ground, index: int) -> list[Item]:
    """Return what is wrong with an offered tariff."""
    wrong = list(check_tariff(one.tariff, index=index))
    receiver_code = _receiver_code(one, ground)
    if receiver_code is not None:
        item = Item(
            code=receiver_code,
            index=index,
            path="receiverId",
            expected="a CSP that has an agreement with you, or nothing: then for all",
            found=one.receiver_party or "",
        )
        wrong.append(item)
    elif not wrong and _replaces(one, ground):
        late = check_change(one.tariff, now=ground.now, index=index)
        wrong += () if late is None else (late,)
    return wrong


def _receiver_code(one: OfferedTariff, ground: _Ground) -> Code | None:
    """Return why a tariff cannot be for its receiver.

    "Not agreed" and "not there" are one answer, so that nobody can try out who takes
    part. An agreement that begins later will do: prices are told before it does.
    """
    if one.receiver_party is None:
        return None
    receiver = ground.receivers.get(one.receiver_party)
    current = [
        agreement
        for agreement in ground.agreements
        if receiver is not None
        and agreement.home_id == receiver.participant_id
        and (agreement.valid_until is None or agreement.valid_until > ground.now)
    ]
    if not current:
        return codes.NO_AGREEMENT
    if not any(goes_through(agreement.mode, Module.TARIFF) for agreement in current):
        return codes.MODE_NOT_AGREED
    return None


def _replaces(one: OfferedTariff, ground: _Ground) -> bool:
    """Say whether sessions of its receivers have been rated by something else so far.

    A first tariff for one receiver takes the place of the default of the same name.
    """
    receiver_id = _receiver_id(one, ground)
    before = [
        version
        for version in ground.versions[one.tariff.tariff_id]
        if version.receiver_id in (None, receiver_id)
    ]
    same = [version for version in before if version.receiver_id == receiver_id]
    newest = max(same, key=lambda version: version.version, default=None)
    if newest is not None and digest(newest.tariff) == digest(one.tariff):
        return False
    return bool(before)


def _publish(
    tx: Connection, publisher_id: int, one: OfferedTariff, ground: _Ground
) -> TariffVersion:
    publication = Publication(
        publisher_id=publisher_id,
        tariff=one.tariff,
        receiver_id=_receiver_id(one, ground),
    )
    version = tariffs.publish(tx, publication, at=ground.now)
    ground.versions[one.tariff.tariff_id].append(version)
    return version


def _receiver_id(one: OfferedTariff, ground: _Ground) -> int | None:
    if one.receiver_party is None:
        return None
    return ground.receivers[one.receiver_party].participant_id


def _listed(
    version: TariffVersion, publisher_party: str, one: OfferedTariff
) -> ListedTariff:
    return ListedTariff(
        publisher_party=publisher_party,
        receiver_party=one.receiver_party,
        version=version.version,
        tariff=version.tariff,
    )
