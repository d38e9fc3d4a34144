"""SubmitSdrs tells nobody of what others did (clauses 8-min and 8-separate).

The same questions are asked before and after another operator and its driver exist
here: the answers are the same, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from clearinghouse.domain.agreements import Terms
from clearinghouse.domain.exchange import Role
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.domain.sessions import SessionState
from clearinghouse.identifiers.credential import CredentialKind
from clearinghouse.storage import evses, sessions, tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import (
    NOW,
    make_agreement,
    make_cso,
    make_evse,
    make_participant,
    make_session,
)
from tests.flows.sdr_messages import batch
from tests.services.sdr_world import (
    SINCE,
    STARTED_AT,
    World,
    make_sdr,
    make_world,
    price,
)

if TYPE_CHECKING:
    from clearinghouse.domain.participants import Participant
    from clearinghouse.services.environment import Environment
    from tests.fixtures.database import Site
    from tests.fixtures.engine import Speaker

_LAX = Terms(match_required=False)
_CARD = {"credential_kind": CredentialKind.RFID, "credential_value": "04A1B2C3"}
_SESSION_ID = UUID("5e551011-0000-4000-8000-00000000abcd")
_THERE: dict[str, Any] = {
    "session_id": _SESSION_ID,
    "evse_id": "NL*VIC*E1*1",
    "tariff_id": "V-1",
    **_CARD,
}

#: What a stranger may name that is another's: one reference each, and all at once.
FORGERIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "session": {"session_id": _SESSION_ID},
    "evse": {"evse_id": "NL*VIC*E1*1"},
    "card": _CARD,
    "contract": {"contract_id": "DE-ABC-C00000001-3"},
    "tariff": {"tariff_id": "V-1"},
    "cso": {"cso_id": "NLVIC"},
    "cso and evse": {"cso_id": "NLVIC", "evse_id": "NL*VIC*E1*1"},
    "csp": {"csp_id": "NLVIC"},
    "high amount": {"evse_id": "NL*VIC*E1*1", "claimed_net": Decimal("140.00")},
    "all but the cso": _THERE,
    "all": {"cso_id": "NLVIC", **_THERE},
}

#: The root and the receipt are over the batch's own id.
_OWN_IDS = re.compile(
    rb"(batchId|correlationId|messageId|batchRoot)>[^<]*<|receipt>(?s:.*)</sdr:receipt>"
)

_FORGET = """
    SET session_replication_role = replica;
    DELETE FROM clearing.rule_hit;
    DELETE FROM clearing.sdr WHERE submitter_id = {0};
    DELETE FROM clearing.sdr_key WHERE submitter_id = {0};
    DELETE FROM clearing.sdr_batch WHERE submitter_id = {0};
    DELETE FROM clearing.refused_sdr WHERE submitter_id = {0};
"""


@dataclass(frozen=True, kw_only=True)
class Stranger:
    """A partner that asks about others, and forgets what came of each question."""

    who: Participant
    speaks: Speaker
    site: Site

    def ask_all(self) -> dict[str, tuple[bytes, bytes]]:
        """Submit each forgery; return the answer, and what its status says after."""
        return {name: self._ask(**forged) for name, forged in FORGERIES.items()}

    def _ask(self, **forged: object) -> tuple[bytes, bytes]:
        record = replace(make_sdr(evse_id="FR*ATT*E1*1", sdr_id="PROBE"), **forged)  # type: ignore[arg-type]  # the forgeries
        answer = self.speaks.call("sdr", "SubmitSdrs", batch(1, [record]))
        status = self.speaks.call("sdr", "GetSdrStatus", "<sdrId>PROBE</sdrId>")
        with self.site.superuser() as connection:
            connection.execute(_FORGET.format(self.who.participant_id).encode())
        return _OWN_IDS.sub(b"", answer.raw), _OWN_IDS.sub(b"", status.raw)


def admit_stranger(world: World, terms: Terms | None) -> Participant:
    """Admit a partner of both roles with one EVSE in Paris."""
    with world.env.database.begin() as tx:
        who = make_participant(
            tx, party_id="FRATT", roles=frozenset({Role.CSO, Role.CSP}), country="FR"
        )
        if terms is not None:
            make_agreement(tx, who, world.csp, valid_from=SINCE, terms=terms)
        mine = Publication(publisher_id=who.participant_id, tariff=price(490_000))
        tariffs.publish(tx, mine, at=SINCE)
        station = make_evse("FR*ATT*E1*1", latitude_u=48_856_600, longitude_u=2_352_200)
        evses.apply_delta(tx, who.participant_id, upserts=[station], removals=[])
    return who


def let_victim_appear(world: World) -> None:
    """Admit an operator at whose EVSE a driver charged, and what it submitted."""
    enrolled = world.env.vault.enrol(
        world.csp.participant_id, SubjectKind.RFID, ["04A1B2C3"], at=NOW
    )
    with world.env.database.begin() as tx:
        victim = make_cso(tx, "NLVIC")
        make_agreement(tx, victim, world.csp, valid_from=SINCE, terms=_LAX)
        for tariff_id in ("V-1", "T-1"):
            tariff = price(490_000, tariff_id=tariff_id)
            theirs = Publication(publisher_id=victim.participant_id, tariff=tariff)
            tariffs.publish(tx, theirs, at=SINCE)
        station = make_evse("NL*VIC*E1*1")
        evses.apply_delta(tx, victim.participant_id, upserts=[station], removals=[])
        session = make_session(
            victim,
            world.csp,
            session_id=_SESSION_ID,
            state=SessionState.ENDED,
            evse_key="NLVICE11",
            created_at=STARTED_AT,
            subject_id=enrolled.subjects["04A1B2C3"],
        )
        sessions.insert_session(tx, session)
    taken = make_sdr(**_THERE)
    held = make_sdr(**_THERE, claimed_net=Decimal("12.60"))

    outcome = world.submit([taken, held], sender=victim)

    assert (outcome.counts.accepted, outcome.counts.held) == (1, 1), outcome.items


@pytest.mark.clause("8-min", "8-separate")
@pytest.mark.parametrize(
    "terms", [None, Terms(), _LAX], ids=["no agreement", "agreed", "without match"]
)
def test_answer_holds_no_fact_of_other_submitters(
    env: Environment,
    site: Site,
    speaker: Callable[[Participant], Speaker],
    terms: Terms | None,
) -> None:
    world = make_world(env)
    who = admit_stranger(world, terms)
    stranger = Stranger(who=who, speaks=speaker(who), site=site)

    before = stranger.ask_all()
    let_victim_appear(world)
    after = stranger.ask_all()

    assert after == before
    taken = b"accepted>1<" in before["card"][0]
    assert taken is (terms is _LAX), before["card"]
