"""Forged bundles: each fails, and the place of the forgery is named (case N4).

Some are made by an outsider without the operator's key, most by a dishonest operator
who has it, changes one thing, and makes everything that hangs on it fit again.
"""

from __future__ import annotations

from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from clearinghouse.domain.sdrs import Verdict
from clearinghouse.services import bundles, held_sdrs, sdrs, seals
from clearinghouse.services.sdrs import Word
from clearinghouse.storage.signing import PublicKey, Signer
from clearinghouse.verify.bundle import verify
from clearinghouse.verify.cli import run
from tests.builders import NOW, make_sender
from tests.services.sdr_world import World, make_world, message
from tests.verify.forging import Forged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearinghouse.services.environment import Environment
    from clearinghouse.storage.signing import SigningKey

#: A bundle is made once and forged many times; the key is the operator's.
_MADE: dict[str, tuple[bytes, Signer, str]] = {}


def _reject(world: World, sdr_id: str) -> None:
    word = Word(
        submitter_party=world.cso.party_id,
        sdr_id=sdr_id,
        verdict=Verdict.REJECTED,
        reason="not mine",
    )
    exchange = message(make_sender(world.csp), operation="ConfirmSdrs")
    sdrs.confirm_sdrs(world.env, exchange, [word], lambda _: b"<answer/>")


def _make(env: Environment, folder: Path) -> tuple[bytes, Signer, str]:
    """Close two windows of a small world and write the bundle of the second."""
    world = make_world(env)
    late = world.session(claimed_net=Decimal("20.00"))
    world.submit([world.session(), late])
    world.close("second")
    held_sdrs.release(env, world.cso.party_id, late.sdr_id)
    rejected = world.session()
    world.submit([*(world.session() for _ in range(3)), rejected])
    world.submit(
        [
            world.session(world.other_csp),
            world.session(world.other_csp, claimed_net=Decimal("30.00")),
        ]
    )
    _reject(world, rejected.sdr_id)
    window_id = world.close("third").window.window_id
    path = folder / "true.zip"
    bundles.write_bundle(env, window_id, path)
    return path.read_bytes(), env.signer, seals.keys(env)[-1].pem


@pytest.fixture
def made(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[bytes, SigningKey, Path]:
    """Give a true bundle, the operator's private key, and the public one in a file."""
    if "bundle" not in _MADE:
        _MADE["bundle"] = _make(request.getfixturevalue("env"), tmp_path)
    content, signer, pem = _MADE["bundle"]
    path = tmp_path / "public.pem"
    path.write_text(pem, encoding="ascii")
    return content, signer.key(), path


def test_true_bundle_passes(made: tuple[bytes, SigningKey, Path]) -> None:
    content, _, key = made
    path = key.with_name("bundle.zip")
    path.write_bytes(content)
    out, log = StringIO(), StringIO()

    code = run([str(path), "--key", str(key)], out, log)

    assert (out.getvalue(), code) == (f"{path}: all is proved\n", 0)
    assert "checking that every pair adds up" in log.getvalue()


def test_bundle_that_is_opened_and_closed_again_passes(
    made: tuple[bytes, SigningKey, Path],
) -> None:
    content, private, key = made
    forged = Forged.open(content)
    forged.seal(private)
    forged.list(private)

    assert verify(forged.write(key.with_name("again.zip")), key).told == []


def _everywhere(forged: Forged, by: int) -> None:
    """Change the amount of an SDR, and every sum that it enters."""
    forged.add("sdrs.tsv", 2, "netMinor", by)
    csp, submitter = (forged.get("sdrs.tsv", 2, f) for f in ("cspId", "submitterId"))
    forged.add("pairs.tsv", forged.find("pairs.tsv", "cspId", csp), "netMinor", by)
    forged.add("matrix.tsv", forged.find("matrix.tsv", "debtorId", csp), "netMinor", by)
    for party, sign, side in ((csp, -1, "payable"), (submitter, 1, "receivable")):
        line = forged.find("positions.tsv", "partyId", party)
        forged.add("positions.tsv", line, f"{side}Minor", by)
        forged.add("positions.tsv", line, "netMinor", sign * by)
        line = forged.find("statements.tsv", "partyId", party)
        forged.add("statements.tsv", line, "netMinor", sign * by)
        forged.add("statements.tsv", line, "grossMinor", sign * by)
    for line in range(1, len(forged.files["postings.tsv"])):
        if f"-{csp}-" in forged.get("postings.tsv", line, "postingKey"):
            forged.add("postings.tsv", line, "amountMinor", by)
    for field in ("grossMinor", "bilateralMinor", "multilateralMinor"):
        forged.add("settlements.tsv", 1, field, by)


def _swap(forged: Forged, name: str, first: int, second: int) -> None:
    lines = forged.files[name]
    lines[first], lines[second] = lines[second], lines[first]


def _swap_numbers(forged: Forged) -> None:
    numbers = [forged.get("sdrs.tsv", line, "sdrNo") for line in (2, 3)]
    forged.set("sdrs.tsv", 2, "sdrNo", numbers[1])
    forged.set("sdrs.tsv", 3, "sdrNo", numbers[0])
    _swap(forged, "sdrs.tsv", 2, 3)


def _copy_sdr(forged: Forged) -> None:
    copied = list(forged.files["sdrs.tsv"][-1])
    copied[2] = str(int(copied[2]) + 1)
    forged.files["sdrs.tsv"].append(copied)


def _drop(forged: Forged, name: str, line: int) -> None:
    del forged.files[name][line]


def _exclude(forged: Forged) -> None:
    number = forged.get("sdrs.tsv", 2, "sdrNo")
    forged.files["exclusions.tsv"].append([number, "", ""])


def _accept_held(forged: Forged) -> None:
    line = forged.find("sdrs.tsv", "status", "HELD")
    forged.set("sdrs.tsv", line, "status", "ACCEPTED")


def _zero_sum(forged: Forged) -> None:
    for line, by in ((1, 100), (2, -100)):
        forged.add("positions.tsv", line, "receivableMinor", by)
        forged.add("positions.tsv", line, "netMinor", by)


def _renumber(forged: Forged) -> None:
    forged.set("statements.tsv", 1, "statementId", "ST-2026-000999")


def _exchange_statements(forged: Forged) -> None:
    numbers = [forged.get("statements.tsv", line, "statementId") for line in (1, 2)]
    forged.set("statements.tsv", 1, "statementId", numbers[1])
    forged.set("statements.tsv", 2, "statementId", numbers[0])


def _first_block(forged: Forged) -> None:
    text = forged.get("chain.tsv", 1, "text").replace("sdrs 1", "sdrs 2")
    forged.set("chain.tsv", 1, "text", text)


#: What a dishonest operator changes, and the place that is named. All leaves and roots
#: are made to fit, the block and the list of files are signed anew.
SEALED: dict[str, tuple[Callable[[Forged], None], str]] = {
    "amount of one SDR in every sum": (
        lambda f: _everywhere(f, 100),
        "sdrs.tsv line 3, netMinor of",
    ),
    "price of a tariff": (
        lambda f: f.set(
            "tariffs.tsv", 1, "components", '[{"type": "ENERGY", "price_u": 480000}]'
        ),
        "sdrs.tsv line 2, netMinor of",
    ),
    "minimum of a tariff": (
        lambda f: f.set("tariffs.tsv", 1, "minimumMicro", 90_000_000),
        "sdrs.tsv line 2, netMinor of",
    ),
    "zone of an EVSE that is nowhere": (
        lambda f: f.set("sdrs.tsv", 2, "zone", "../../etc/localtime"),
        "sdrs.tsv line 3, zone: expected one of the IANA database",
    ),
    "amount of one SDR": (
        lambda f: f.add("sdrs.tsv", 2, "netMinor", 1),
        "pairs.tsv line 2, EUR DEABC CHREP netMinor",
    ),
    "energy of one SDR": (
        lambda f: f.add("sdrs.tsv", 2, "energyWh", 1000),
        "batches.tsv line 2, energyWh",
    ),
    "SDR is missing": (
        lambda f: _drop(f, "sdrs.tsv", 3),
        "batches.tsv line 2, accepted: expected 4, found 3",
    ),
    "SDR is there twice": (_copy_sdr, "sdrs.tsv line 9, recordNo: expected once"),
    "order of two lines": (
        lambda f: _swap(f, "sdrs.tsv", 2, 3),
        "sdrs.tsv line 4, sdrNo: expected above 5, found 4",
    ),
    "SDR is left out": (_exclude, "pairs.tsv line 2, EUR DEABC CHREP sdrCount"),
    "held SDR counts": (_accept_held, "batches.tsv line 3, held: expected 1, found 0"),
    "held SDR that was taken in has no origin": (
        lambda f: _drop(f, "releases.tsv", 1),
        "sdrs.tsv line 2, batchId",
    ),
    "batch is missing": (
        lambda f: _drop(f, "batches.tsv", 1),
        "sdrs.tsv line 3, batchId",
    ),
    "batch counts another number": (
        lambda f: f.add("batches.tsv", 1, "accepted", 1),
        "batches.tsv line 2, accepted: expected 5, found 4",
    ),
    "tariff of another currency": (
        lambda f: f.set("tariffs.tsv", 1, "currency", "CHF"),
        "sdrs.tsv line 2, tariffVersionId of",
    ),
    "tariff that came later": (
        lambda f: f.set("tariffs.tsv", 1, "validFrom", "2026-12-01T00:00:00.000000Z"),
        "sdrs.tsv line 2, tariffVersionId of",
    ),
    "tariff is missing": (
        lambda f: _drop(f, "tariffs.tsv", 1),
        "sdrs.tsv line 2, tariffVersionId of",
    ),
    "sum of a pair": (
        lambda f: f.add("pairs.tsv", 1, "netMinor", -1),
        "pairs.tsv line 2, EUR DEABC CHREP netMinor",
    ),
    "matrix": (
        lambda f: f.add("matrix.tsv", 1, "netMinor", 1),
        "matrix.tsv line 2, EUR DEABC owes CHREP netMinor",
    ),
    "one position by one cent": (
        lambda f: f.add("positions.tsv", 2, "netMinor", 1),
        "positions.tsv line 3, DEABC EUR netMinor",
    ),
    "two positions that still sum to zero": (
        _zero_sum,
        "positions.tsv line 2, CHREP EUR receivableMinor",
    ),
    "sum of the settlement": (
        lambda f: f.add("settlements.tsv", 1, "multilateralMinor", -1),
        "settlements.tsv line 2, EUR multilateralMinor",
    ),
    "amount of a posting": (
        lambda f: f.add("postings.tsv", 2, "amountMinor", 5),
        "postings.tsv line 3, W2:EUR-DEABC-CHREP:CLOSE-PAY amountMinor",
    ),
    "account of a posting": (
        lambda f: f.set("postings.tsv", 2, "creditAccount", "P:FRXYZ:PAY"),
        "postings.tsv line 3, W2:EUR-DEABC-CHREP:CLOSE-PAY creditAccount",
    ),
    "posting is missing": (
        lambda f: _drop(f, "postings.tsv", 1),
        "postings.tsv, W2:EUR-DEABC-CHREP:ACCEPT debitAccount",
    ),
    "posting is there twice": (
        lambda f: f.files["postings.tsv"].append(f.files["postings.tsv"][1]),
        "postings.tsv line 8, W2:EUR-DEABC-CHREP:ACCEPT: expected once",
    ),
    "statement has another number": (
        _renumber,
        "statements.tsv line 2, statementId: expected ST-2026-000003",
    ),
    "two statements exchange their numbers": (
        _exchange_statements,
        "statements.tsv line 2, statementId",
    ),
    "statement is missing": (
        lambda f: _drop(f, "statements.tsv", 2),
        "statements.tsv, DEABC EUR netMinor",
    ),
    "net of a statement": (
        lambda f: f.add("statements.tsv", 1, "netMinor", 1),
        "statements.tsv line 2, CHREP EUR netMinor",
    ),
    "lines of a statement": (
        lambda f: f.add("statements.tsv", 1, "lineCount", -1),
        "statements.tsv line 2, CHREP EUR lineCount",
    ),
    "block before": (_first_block, "chain.tsv line 3, previous"),
    "chain begins later": (
        lambda f: _drop(f, "chain.tsv", 1),
        "chain.tsv line 2, seq: expected 1, found 2",
    ),
    "chain's tail is cut": (
        lambda f: _drop(f, "chain.tsv", 2),
        "chain.tsv line 2, window of the last block: expected 2, found 1",
    ),
    "label of a window": (
        lambda f: f.set("chain.tsv", 2, "label", "another"),
        "chain.tsv line 3, label",
    ),
    "heading of a file": (
        lambda f: f.set("matrix.tsv", 0, "netMinor", "grossMinor"),
        "matrix.tsv line 1, heading",
    ),
}


def _told(forged: Forged, key: Path) -> list[str]:
    path = forged.write(key.with_name("forged.zip"))
    out = StringIO()
    code = run(["--quiet", str(path), "--key", str(key)], out, StringIO())
    assert code == 1
    return out.getvalue().splitlines()


def _is_named(place: str, told: list[str]) -> bool:
    return any(line.startswith(place) for line in told)


@pytest.mark.parametrize("forgery", SEALED)
def test_dishonest_operator_is_found_out(
    forgery: str, made: tuple[bytes, SigningKey, Path]
) -> None:
    content, private, key = made
    forged = Forged.open(content)
    change, place = SEALED[forgery]

    change(forged)
    forged.seal(private)
    forged.list(private)

    told = _told(forged, key)
    assert _is_named(place, told), told
    assert not _is_named("manifest", told)


def test_sdr_that_is_not_what_intake_committed_to_is_named_by_its_line(
    made: tuple[bytes, SigningKey, Path],
) -> None:
    content, private, key = made
    forged = Forged.open(content)

    forged.add("sdrs.tsv", 3, "netMinor", -1)
    forged.list(private)

    told = _told(forged, key)
    sdr_id = forged.get("sdrs.tsv", 3, "sdrId")
    assert _is_named(f"sdrs.tsv line 4, leaf of {sdr_id}", told), told
    assert _is_named("batches.tsv line 2, root of batch 2 of CHREP", told)
    assert _is_named("pairs.tsv line 2, EUR DEABC CHREP root", told)


def test_numbers_of_two_sdrs_that_were_exchanged_are_found(
    made: tuple[bytes, SigningKey, Path],
) -> None:
    content, private, key = made
    forged = Forged.open(content)

    _swap_numbers(forged)
    forged.list(private)

    told = _told(forged, key)
    assert _is_named("sdrs.tsv line 3, leaf of", told), told


@pytest.mark.parametrize("name", ["batches.tsv", "pairs.tsv"])
def test_root_that_was_changed_is_named(
    name: str, made: tuple[bytes, SigningKey, Path]
) -> None:
    content, private, key = made
    forged = Forged.open(content)

    forged.set(name, 1, "root", "ab" * 32)
    forged.sign_block(private)
    forged.list(private)

    assert _is_named(f"{name} line 2, ", _told(forged, key))


def test_outsider_who_changes_a_file_is_found_by_its_digest(
    made: tuple[bytes, SigningKey, Path],
) -> None:
    content, _, key = made
    forged = Forged.open(content)

    forged.add("sdrs.tsv", 1, "netMinor", 1)

    told = _told(forged, key)
    assert _is_named("sdrs.tsv, sha256", told), told
    assert _is_named("sdrs.tsv line 2, leaf of", told)


def test_outsider_who_makes_all_fit_has_no_key(
    made: tuple[bytes, SigningKey, Path],
) -> None:
    content, _, key = made
    forged, own = Forged.open(content), Signer().key()
    forged.add("positions.tsv", 1, "netMinor", 1)
    forged.files["keys.tsv"].append(
        [own.key_id, "2026-01-01T00:00:00.000000Z", own.public_key.hex()]
    )

    forged.seal(own)
    forged.list(own)

    told = _told(forged, key)
    assert _is_named("manifest.sig, signature", told), told
    assert _is_named("manifest.json, keyId", told)
    assert _is_named("positions.tsv line 2, CHREP EUR netMinor", told)


def test_true_bundle_fails_under_another_key(
    made: tuple[bytes, SigningKey, Path],
) -> None:
    content, _, key = made
    world = Signer().key()
    key.write_text(_pem(world), encoding="ascii")

    told = _told(Forged.open(content), key)

    assert _is_named("manifest.sig, signature", told), told


def _pem(key: SigningKey) -> str:
    return PublicKey(key_id=key.key_id, public_key=key.public_key, valid_from=NOW).pem
