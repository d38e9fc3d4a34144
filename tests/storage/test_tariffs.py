"""Tariffs as published: versions, receivers, the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearinghouse.storage import tariffs
from clearinghouse.storage.feeds import START
from tests.builders import NOW, make_cso, make_csp, make_tariff, seconds

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from clearinghouse.domain.participants import Participant
    from clearinghouse.domain.tariffs import Tariff, TariffVersion
    from clearinghouse.storage.database import Database


def _publish(
    tx: Connection,
    cso: Participant,
    tariff: Tariff,
    receiver: Participant | None = None,
) -> TariffVersion:
    new = tariffs.Publication(
        publisher_id=cso.participant_id,
        tariff=tariff,
        receiver_id=None if receiver is None else receiver.participant_id,
    )
    return tariffs.publish(tx, new, at=NOW)


def test_tariff_comes_back_as_published(database: Database) -> None:
    tariff = make_tariff(minimum_u=1, maximum_u=2_000_000, valid_until=seconds(3600))
    with database.begin() as tx:
        cso = make_cso(tx)
        made = _publish(tx, cso, tariff)

        by_name = tariffs.versions_of(tx, cso.participant_id, ["T-1", "T-2"])

    assert (made.version, made.tariff) == (1, tariff)
    assert by_name == (made,)


def test_same_words_are_the_same_version_and_others_the_next(
    database: Database,
) -> None:
    with database.begin() as tx:
        cso = make_cso(tx)

        first = _publish(tx, cso, make_tariff())
        again = _publish(tx, cso, make_tariff())
        second = _publish(tx, cso, make_tariff(minimum_u=5))
        back = _publish(tx, cso, make_tariff())

    assert again == first
    assert [second.version, back.version] == [2, 3]


def test_receiver_has_versions_of_its_own_which_others_do_not_see(
    database: Database,
) -> None:
    with database.begin() as tx:
        cso, csp, other = make_cso(tx), make_csp(tx), make_csp(tx, "FRXYZ")
        default = _publish(tx, cso, make_tariff())
        special = _publish(tx, cso, make_tariff(minimum_u=1), csp)

    seen = {}
    for one in (csp, other, cso):
        with database.begin_read_only() as tx:
            page = tariffs.tariffs_changed(
                tx, one.participant_id, [cso.participant_id], cursor=START, limit=10
            )
        seen[one.party_id] = list(page.items)

    assert special.version == 1
    assert seen == {
        "DEABC": [default, special],
        "FRXYZ": [default],
        "CHREP": [default, special],
    }
