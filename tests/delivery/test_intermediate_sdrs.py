"""Intermediate SDRs reach the endpoint of the home CSP, over two SOAP stacks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from clearinghouse.domain.intermediate_sdrs import Told
from clearinghouse.domain.sessions import SessionEventKind, SessionState
from clearinghouse.endpoint.messages.common import CurrencyAmount
from clearinghouse.endpoint.messages.csp_endpoint import NotifySessionRequest
from clearinghouse.facades.iec63119.gateway import Gateway
from clearinghouse.services import sessions as use_cases
from clearinghouse.services.environment import Environment
from clearinghouse.services.sessions import Report
from clearinghouse.storage import evses, sessions, tariffs
from clearinghouse.storage.tariffs import Publication
from tests.builders import (
    make_agreement,
    make_cso,
    make_csp,
    make_evse,
    make_sender,
    make_session,
)
from tests.delivery.stage import (
    RecordingPartner,
    connected,
    register,
    serving,
)
from tests.delivery.test_worker import working
from tests.services.sdr_world import message, price
from tests.waiting import eventually


@pytest.mark.clause("3.10", "4.3-I3")
def test_the_home_csp_gets_number_figures_and_estimate(
    env: Environment, tmp_path: Path
) -> None:
    house = connected(env, tmp_path)
    started_at = house.clock.now() - timedelta(hours=1)
    with house.database.begin() as tx:
        csp, cso = make_csp(tx), make_cso(tx)
        make_agreement(tx, cso, csp)
        evses.apply_delta(tx, cso.participant_id, upserts=[make_evse()], removals=[])
        tariff = replace(price(490_000), valid_from=started_at)
        published = Publication(publisher_id=cso.participant_id, tariff=tariff)
        tariffs.publish(tx, published, at=started_at)
        active = make_session(cso, csp, state=SessionState.ACTIVE)
        running = replace(active, evse_key="CHREPE00011", started_at=started_at)
        sessions.insert_session(tx, running)
    partner = RecordingPartner()

    with serving(csp=partner) as url:
        register(house, csp, url)
        for number in (1, 2):
            report = Report(
                session_id=running.session_id,
                event=SessionEventKind.PROGRESS,
                event_id=uuid4(),
                occurred_at=started_at + timedelta(minutes=10 * number),
                energy_wh=1_000 * number,
                intermediate=Told(sequence_no=number, meter_wh=7, tariff_id="T-1"),
            )
            use_cases.report_session(
                house, message(make_sender(cso)), report, lambda _outcome: b"<done/>"
            )
        with working(house):
            eventually(lambda: len(partner.told) == 2)
    assert isinstance(house.partners, Gateway)
    house.partners.close()

    told = [one for one in partner.told if isinstance(one, NotifySessionRequest)]
    # Two calls to a partner go out side by side.
    told.sort(key=lambda one: one.occurred_at)
    views = [one.intermediate_sdr for one in told if one.intermediate_sdr is not None]
    assert [one.energy_wh for one in told] == [1_000, 2_000]
    assert [(one.sequence_no, one.energy_wh, one.meter_wh) for one in views] == [
        (1, 1_000, 7),
        (2, 2_000, 7),
    ]
    assert [one.estimated_net for one in views] == [
        CurrencyAmount(currency="EUR", amount=Decimal("0.49")),
        CurrencyAmount(currency="EUR", amount=Decimal("0.98")),
    ]
    assert [one.occurred_at for one in views] == [one.occurred_at for one in told]
