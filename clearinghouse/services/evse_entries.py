"""The entries of an operator's message, one by one: whose EVSE, how spelled, how told.

Nothing here reads or writes: an entry is judged against what was looked up, and what is
wrong with it is said in words that its sender can act on. One bad entry never refuses
the others. EVSE ids name equipment, not people, so they may be repeated as received.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.domain.errors import Item
from clearinghouse.domain.evses import Address, Connector, Evse, check_evse
from clearinghouse.domain.participants import Participant
from clearinghouse.identifiers import evse_id as evse_ids
from clearinghouse.identifiers import operator_id as operator_ids
from clearinghouse.identifiers.errors import IdentifierError
from clearinghouse.identifiers.evse_id import EvseId
from clearinghouse.storage.evses import StoredEvse


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseEntry:
    """An EVSE as its operator wrote it, before anybody looked at its id."""

    received: str
    country: str
    time_zone: str
    operator_id: str | None = None
    latitude_u: int | None = None
    longitude_u: int | None = None
    address: Address = field(default_factory=Address)
    connectors: tuple[Connector, ...] = ()
    open_24_hours: bool | None = None
    meter_public_key: str | None = None

    def described(self, evse_id: EvseId) -> Evse:
        """Return the EVSE that the entry describes."""
        return Evse(
            evse_id=evse_id,
            received=self.received,
            country=self.country,
            time_zone=self.time_zone,
            operator_id=self.operator_id,
            latitude_u=self.latitude_u,
            longitude_u=self.longitude_u,
            address=self.address,
            connectors=self.connectors,
            open_24_hours=self.open_24_hours,
            meter_public_key=self.meter_public_key,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an EVSE id stands: the entry's index, and the id's path from there."""

    index: int
    path: str = "evseId"

    def wrong(self, code: Code, *, expected: str, found: str) -> Item:
        """Return what is wrong with the id at this place."""
        return Item(
            code=code,
            index=self.index,
            path=self.path,
            expected=expected,
            found=found,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the entries of a message are judged against.

    ``stored`` are the EVSEs of the message that we know, removed ones too; ``staged``
    the spellings in other parts of the same list.
    """

    owner: Participant
    stored: Mapping[str, StoredEvse]
    staged: Mapping[str, str] = field(default_factory=dict)

    def in_force(self, evse_key: str) -> StoredEvse | None:
        """Return an EVSE of the owner that is not removed."""
        found = self.stored.get(evse_key)
        if found is None or found.removed:
            return None
        return found if found.cso_id == self.owner.participant_id else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The entries of a message, sorted.

    ``refused`` counts entries; one may have several ``items``. ``kept`` are refused
    entries whose EVSE is in force already: as it is described there.
    """

    total: int
    taken: tuple[Evse, ...]
    kept: tuple[Evse, ...]
    items: tuple[Item, ...]

    @property
    def refused(self) -> int:
        """Number of entries that were not taken."""
        return len({item.index for item in self.items})


def keys_of(received: Iterable[str]) -> frozenset[str]:
    """Return the keys of those ids that are well formed."""
    keys = set()
    for one in received:
        try:
            keys.add(evse_ids.validate(one))
        except IdentifierError:
            continue
    return frozenset(keys)


def identify(received: str, place: Place, known: Known) -> EvseId | Item:
    """Return the id when it is well formed and the operator's own, else what is wrong.

    Own is an id whose operator part is one of the sender's, and whose key is neither
    another operator's nor already there with the outlet divided differently.
    """
    try:
        found = evse_ids.parse(received)
    except IdentifierError as error:
        return place.wrong(codes.EVSE_MALFORMED, expected=error.reason, found=received)
    if not known.owner.owns(found.operator):
        own = sorted(known.owner.aliases | {known.owner.party_id})
        expected = f"an EVSE of {', '.join(map(operator_ids.format, own))}"
        return place.wrong(codes.EVSE_NOT_YOURS, expected=expected, found=received)
    stored = known.stored.get(found.key)
    if stored is None or stored.removed:
        return found
    if stored.cso_id != known.owner.participant_id:
        expected = "another partner has listed it: let the operator settle whose it is"
        return place.wrong(codes.EVSE_NOT_YOURS, expected=expected, found=received)
    if evse_ids.is_ambiguous(found, stored.evse.evse_id):
        expected = f"{stored.evse.evse_id.spaced}, or remove that one first"
        return place.wrong(codes.EVSE_AMBIGUOUS, expected=expected, found=received)
    return found


def judge(entries: Sequence[EvseEntry], known: Known, *, below: str = "") -> Judged:
    """Sort the entries of a message into good ones and what is wrong with the others.

    Of two entries for one EVSE the first counts, good or bad. ``below`` goes before the
    paths of what is wrong, as ``upsert/``.
    """
    taken: dict[str, Evse] = {}
    refused: list[str] = []
    items: list[Item] = []
    seen = {key: evse_ids.parse(spaced) for key, spaced in known.staged.items()}
    for index, entry in enumerate(entries):
        found = _identify_once(entry, Place(index=index), seen, known)
        wrong = _operator_items(entry, found, index)
        if isinstance(found, Item):
            wrong = (found, *wrong)
        else:
            evse = entry.described(found)
            wrong += check_evse(evse, index=index)
            if not wrong:
                taken[found.key] = evse
        if wrong:
            refused.append(entry.received)
            items += [replace(one, path=f"{below}{one.path}") for one in wrong]
    unsettled = keys_of(refused) - taken.keys() - known.staged.keys()
    kept = [known.in_force(key) for key in sorted(unsettled)]
    return Judged(
        total=len(entries),
        taken=tuple(taken.values()),
        kept=tuple(one.evse for one in kept if one is not None),
        items=tuple(items),
    )


def judge_removals(
    removals: Sequence[str], known: Known, *, upserted: Iterable[str]
) -> tuple[frozenset[str], tuple[Item, ...]]:
    """Return the keys of the EVSEs to remove, and what is wrong with the other ids.

    ``upserted`` are ids that the same message adds or changes. An EVSE that is not
    there, or named twice, is no mistake: afterwards it is gone.
    """
    keys: set[str] = set()
    items: list[Item] = []
    both = keys_of(upserted)
    for index, received in enumerate(removals):
        place = Place(index=index, path="remove")
        found = identify(received, place, known)
        if isinstance(found, Item):
            items.append(found)
        elif found.key in both:
            expected = "either upsert or remove"
            items.append(
                place.wrong(codes.EVSE_DUPLICATE, expected=expected, found=received)
            )
        else:
            keys.add(found.key)
    return frozenset(keys), tuple(items)


def _identify_once(
    entry: EvseEntry, place: Place, seen: dict[str, EvseId], known: Known
) -> EvseId | Item:
    """Return the id of an entry unless one before it named the same EVSE."""
    found = identify(entry.received, place, known)
    if isinstance(found, Item):
        return found
    earlier = seen.get(found.key)
    if earlier is None:
        seen[found.key] = found
        return found
    if evse_ids.is_ambiguous(found, earlier):
        code = codes.EVSE_AMBIGUOUS
        expected = f"not also {earlier.spaced}: without * both are {found.key}"
    else:
        code, expected = codes.EVSE_DUPLICATE, "each EVSE once in the whole list"
    return place.wrong(code, expected=expected, found=entry.received)


def _operator_items(
    entry: EvseEntry, found: EvseId | Item, index: int
) -> tuple[Item, ...]:
    """Return what is wrong with the operator id: it repeats a part of the EVSE id."""
    if entry.operator_id is None:
        return ()
    place = Place(index=index, path="operatorId")
    try:
        operator = operator_ids.validate(entry.operator_id)
    except IdentifierError as error:
        expected = error.reason
    else:
        if isinstance(found, Item) or operator == found.operator:
            return ()
        expected = f"{operator_ids.format(found.operator)} as in the EVSE id"
    wrong = place.wrong(codes.EVSE_FIELD, expected=expected, found=entry.operator_id)
    return (wrong,)
