"""The transparency export: read again by other means, it verifies; nobody's is refused.

What is read back is checked with the command ``openssl`` where there is one, and a
parser of its own: nothing of the product's takes part.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from clearinghouse.domain.meters import Encoding, SignedFormat, SignedMeterValue
from clearinghouse.domain.privacy import SubjectKind
from clearinghouse.identifiers.credential import CredentialKind
from tests.builders import NOW
from tests.fixtures.verbs import value_of
from tests.ocmf import CURVES, Meter, Text, kwh
from tests.services.sdr_world import World, make_world, put_evse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from clearinghouse.domain.sdrs import ServiceDetailRecord
    from clearinghouse.services.environment import Environment

CARD = "04A1B2C3D4E5F6"


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


def _signed(record: ServiceDetailRecord, meter: Meter) -> ServiceDetailRecord:
    """Return the record with a signed begin and a signed end, in two encodings."""
    (session,) = record.charging_sessions
    (transaction,) = session.transactions
    ends = (
        ("B", transaction.started_at, 1_000_000, "T7"),
        ("E", transaction.ended_at, 1_000_000 + transaction.energy_wh, "T8"),
    )
    begin, end = (
        meter.sign(Text(page=page).add(at, moment, kwh(wh)).payload())
        for moment, at, wh, page in ends
    )
    values = (
        SignedMeterValue(format=SignedFormat.OCMF, encoding=Encoding.PLAIN, data=begin),
        SignedMeterValue(
            format=SignedFormat.OCMF,
            encoding=Encoding.HEX,
            data=end.encode().hex(),
        ),
    )
    parts = [replace(transaction, signed_values=values)]
    return replace(record, charging_sessions=[replace(session, transactions=parts)])


def _verifies(text: str, key: bytes, folder: Path) -> bool:
    """Check a record without a line of the product's."""
    _, payload, section = text.split("|")
    signature = bytes.fromhex(json.loads(section)["SD"])
    openssl = shutil.which("openssl")
    if openssl is None:
        found = load_der_public_key(key)
        assert isinstance(found, ec.EllipticCurvePublicKey)
        found.verify(signature, payload.encode(), ec.ECDSA(SHA256()))
        return True
    for name, data in (
        ("key", key),
        ("signature", signature),
        ("payload", payload.encode()),
    ):
        (folder / name).write_bytes(data)
    command = [
        *(openssl, "dgst", "-sha256", "-keyform", "DER"),
        *("-verify", str(folder / "key"), "-signature", str(folder / "signature")),
        str(folder / "payload"),
    ]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("curve", CURVES)
def test_what_is_exported_verifies_by_other_means(
    world: World, run: Callable[..., Result], tmp_path: Path, curve: str
) -> None:
    meter = Meter(curve)
    put_evse(world, "CH*REP*E0001*1", meter_public_key=meter.public_key)
    record = _signed(world.session(), meter)
    assert world.submit([record]).items == ()
    # The registry moves on; the export has the key of that day.
    put_evse(world, "CH*REP*E0001*1", meter_public_key=Meter(number=9).public_key)
    file = tmp_path / "values.xml"

    told = value_of(
        run(
            *("--json", "sdr", "transparency", "CHREP"),
            *(record.sdr_id, "--to", str(file)),
        )
    )

    root = ET.fromstring(file.read_bytes())  # noqa: S314 -- our own document
    found = root.findall("value")
    sent = record.charging_sessions[0].transactions[0].signed_values
    assert told == {"file": str(file)}
    assert [(one.get("transactionId"), one.get("context")) for one in found] == [
        ("1", "Transaction.Begin"),
        ("1", "Transaction.End"),
    ]
    data = [one.findtext("signedData") or "" for one in found]
    assert data == [one.data for one in sent]
    assert [one.find("signedData").get("encoding") for one in found] == [  # type: ignore[union-attr]  # it is there
        "plain",
        "hex",
    ]
    key = bytes.fromhex(found[0].findtext("publicKey") or "")
    begin, end = data[0], bytes.fromhex(data[1]).decode()
    assert _verifies(begin, key, tmp_path)
    assert _verifies(end, key, tmp_path)
    assert not _verifies(end.replace("1023.456", "1023.457"), key, tmp_path)


def test_it_is_printed_where_no_file_is_named(
    world: World, run: Callable[..., Result]
) -> None:
    record = _signed(world.session(), Meter())
    world.submit([record])

    shown = run("sdr", "transparency", "CHREP", record.sdr_id)

    assert shown.output.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<values>\n')
    audit = value_of(run("--json", "audit", "list"))
    assert "export signed values" in {row["action"] for row in audit}


def test_there_is_nothing_to_give_out_of_others(
    world: World, run: Callable[..., Result]
) -> None:
    bare, forgotten = world.session(), _signed(world.session(), Meter())
    owner = world.csp.participant_id
    person = world.env.vault.enrol(owner, SubjectKind.RFID, [CARD], at=NOW)
    forgotten.credential_kind = CredentialKind.RFID
    forgotten.credential_value = CARD
    world.submit([bare, forgotten])
    world.env.vault.erase(person.subjects.values(), at=NOW)

    unknown = run("sdr", "transparency", "CHREP", "SDR-404")
    unsigned = run("sdr", "transparency", "CHREP", bare.sdr_id)
    gone = run("sdr", "transparency", "CHREP", forgotten.sdr_id)

    assert [one.exit_code for one in (unknown, unsigned, gone)] == [1, 1, 1]
    assert "there is no SDR SDR-404" in unknown.output
    assert "none came with it" in unsigned.output
    assert "forgotten" in gone.output
