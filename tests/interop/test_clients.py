"""Partners generate a client in their language, and it works at the first call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from clearinghouse import codes
from tests.interop.conftest import Roaming
from tests.interop.tools import TOOLS, Tool, run
from tests.running import world

ENERGY_WH = 100
NET = "0.05"

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.clause("4.3-I3", "6-L6", "6-L7")
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_generated_client_logs_in_authorizes_and_submits(
    roaming: Roaming, tool: Tool
) -> None:
    command = tool.client(roaming.url)
    cso = roaming.pair.cso
    username, password = roaming.account_for(tool.name)
    number = TOOLS.index(tool)
    now = datetime.now(UTC).replace(microsecond=0)
    sdr_id = f"{tool.name}-{uuid4()}"

    said = run(
        command,
        {
            "url": roaming.url,
            "party": cso.party_id,
            "username": username,
            "password": password,
            "csp": roaming.pair.csp.party_id,
            "evse": world.evse_id(number),
            "uid": world.uid(number),
            "tariff": world.TARIFF_ID,
            "sequence": roaming.batches + 1,
            "sdr": sdr_id,
            "started": (now - timedelta(minutes=1)).isoformat(),
            "ended": now.isoformat(),
            "energy": ENERGY_WH,
            "net": NET,
        },
    )
    roaming.batches += 1

    assert said == {
        "login": "0",
        "decision": "AUTHORIZED",
        "submit": "160",  # taken, with the remark that it has no meter values
        "accepted": "1",
        "fault": codes.TOKEN.name,
    }
    seen = roaming.csp.get_sdr_status([sdr_id], submitter_id=cso.party_id)
    assert seen.status[0].status == "ACCEPTED"
