"""Bundles with VAT, credits, disputes, tolerances: proved, and forgeries named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from clearinghouse.services import statements
from clearinghouse.storage.signing import Signer
from clearinghouse.verify.archive import ADDED_FIELDS, ADDED_FILES
from clearinghouse.verify.cli import main
from tests.verify.finding import Forgery, require_found, told_of
from tests.verify.forging import Forged
from tests.verify.worlds import Made, make_rich_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment


def test_bundle_with_vat_credits_and_disputes_is_proved(
    made: Made, tmp_path: Path
) -> None:
    forged = Forged.open(made.content)

    code, told = told_of(made, forged, tmp_path)

    assert (code, told) == (0, f"{tmp_path / 'forged.zip'}: all is proved\n")
    said = json.loads(told_of(made, forged, tmp_path, "--json")[1])
    assert said == {"form": 3, "unchecked": "", "count": 0, "differences": []}
    assert len(forged.files["originals.tsv"]) == 3
    assert len(forged.files["corrections.tsv"]) == 6


def _of_form_2(content: bytes) -> Forged:
    """Return a bundle as it was written before disputes and terms were in it."""
    old = Forged.open(content)
    for name in ADDED_FILES:
        del old.files[name]
    for name in ADDED_FIELDS:
        for line in old.files[name]:
            del line[-1]
    old.manifest["bundle"] = 2
    del old.manifest["window"]["cutoverAt"]
    return old


def test_bundle_of_the_form_before_is_proved_still(made: Made, tmp_path: Path) -> None:
    old, private = _of_form_2(made.content), made.signer.key()
    old.list(private)

    code, told = told_of(made, old, tmp_path)
    said = json.loads(told_of(made, old, tmp_path, "--json")[1])
    assert code == 0
    assert told.removeprefix(f"{tmp_path / 'forged.zip'}: ") == (
        "all is proved that a bundle of form 2 holds; not in it: disputes, suspense,"
        " days of payment, invoices that credits refer to\n"
    )
    assert (said["form"], said["count"]) == (2, 0)
    assert said["unchecked"].startswith("disputes, suspense")

    old.add("positions.tsv", 1, "netMinor", 1)
    old.list(private)
    assert told_of(made, old, tmp_path)[1].startswith("positions.tsv line 2")


def test_bundle_that_says_another_form_is_refused(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged, key = Forged.open(made.content), tmp_path / "public.pem"
    key.write_text(made.pem, encoding="ascii")
    forged.manifest["bundle"] = 2
    path = forged.write(tmp_path / "forged.zip")

    assert main(["--quiet", str(path), "--key", str(key)]) == 1

    assert "no file of a bundle of form 2: disputes.tsv" in capsys.readouterr().err


@pytest.mark.clause("4.2-central")
def test_n4_an_auditor_who_adds_a_cent_to_a_position_is_told_whose_and_which_rule(
    made: Made, tmp_path: Path
) -> None:
    forged = Forged.open(made.content)
    line = forged.find("positions.tsv", "partyId", "DEABC")
    forged.add("positions.tsv", line, "netMinor", 1)

    code, told = told_of(made, forged, tmp_path)

    assert code == 1
    net = int(forged.get("positions.tsv", line, "netMinor"))
    assert (
        f"positions.tsv line {line + 1}, DEABC EUR netMinor: expected {net - 1}, found"
        f" {net}; every position is the net of the matrix, with VAT\n"
    ) in told
    assert "sum of EUR: expected 0, found 1; positions sum to zero" in told
    assert f"not proved, differences: {told.count(chr(10)) - 1}\n" in told


def test_difference_in_an_sdr_names_its_participants_and_the_rule(
    made: Made, tmp_path: Path
) -> None:
    forged = Forged.open(made.content)
    forged.add("sdrs.tsv", 2, "netMinor", 1)

    told = told_of(made, forged, tmp_path)[1]

    sdr_id = forged.get("sdrs.tsv", 2, "sdrId")
    assert (
        f"sdrs.tsv line 3, netMinor of {sdr_id}: expected 1149, found 1150;"
        " of CHREP for DEABC; every SDR has the amount that its tariff gives\n"
    ) in told


@pytest.mark.parametrize("when", ["infinity", "-infinity", "9999-12-31T23:59:59Z"])
def test_sdr_that_lasts_for_ever_is_found_out(
    made: Made, tmp_path: Path, when: str
) -> None:
    forged = Forged.open(made.content)
    forged.set("sdrs.tsv", 1, "endedAt", when)
    forged.set("sdrs.tsv", 2, "startedAt", when)

    assert told_of(made, forged, tmp_path)[0] == 1


def test_statement_in_a_participants_hands_is_held_against_the_bundle(
    env: Environment, tmp_path: Path
) -> None:
    made = make_rich_bundle(env, tmp_path)
    forged = Forged.open(made.content)
    mine = statements.export_statements(env, 2, tmp_path / "statements")
    held = next(path for path in mine if path.suffix == ".xml")

    assert told_of(made, forged, tmp_path, "--statement", str(held))[0] == 0

    held.write_bytes(held.read_bytes().replace(b"11.49", b"11.48", 1))
    code, told = told_of(made, forged, tmp_path, "--statement", str(held))
    assert code == 1
    assert told.startswith(f"{held.name}, sha256: expected one of statements.tsv")


def _number(forged: Forged, line: int, number: str) -> None:
    """Give a document another number, wherever it stands."""
    old = forged.get("documents.tsv", line, "number")
    for name in ("documents.tsv", "documentlines.tsv", "documentvat.tsv"):
        for fields in forged.files[name][1:]:
            fields[0] = number if fields[0] == old else fields[0]


def _tax(forged: Forged, by: int) -> None:
    """Change the VAT of the first invoice on all of its lines."""
    forged.add("documents.tsv", 2, "vatMinor", by)
    forged.add("documents.tsv", 2, "grossMinor", by)
    number = forged.get("documents.tsv", 2, "number")
    line = forged.find("documentvat.tsv", "number", number)
    forged.add("documentvat.tsv", line, "vatMinor", by)


def _untaxed(forged: Forged) -> None:
    line = forged.find("sdrs.tsv", "kind", "ORIGINAL")
    for field, value in (("vatCategory", "O"), ("vatRateBp", 0), ("vatRuleId", 0)):
        forged.set("sdrs.tsv", line, field, value)


def _rate(forged: Forged) -> None:
    rule = forged.get("sdrs.tsv", 2, "vatRuleId")
    forged.set("vatrules.tsv", forged.find("vatrules.tsv", "ruleId", rule), "rateBp", 1)


def _energy(forged: Forged) -> None:
    line = forged.find("sdrs.tsv", "kind", "ORIGINAL")
    forged.add("sdrs.tsv", line, "energyWh", 1000)
    forged.add("batches.tsv", 1, "energyWh", 1000)


def _original(forged: Forged, field: int, value: str) -> None:
    row = forged.get("originals.tsv", 1, "row").split("\\t")
    row[field] = value
    forged.set("originals.tsv", 1, "row", "\\t".join(row))


def _remark(forged: Forged) -> None:
    """Leave out that the claim of an SDR is not our rating."""
    at = forged.column("sdrs.tsv", "rules")
    for line in forged.files["sdrs.tsv"]:
        line[at] = line[at].replace("S-301 ", "").replace("S-301", "")


def _tolerance(forged: Forged) -> None:
    for field in ("toleranceMinor", "tolerancePpm"):
        for line in range(1, len(forged.files["agreements.tsv"])):
            forged.set("agreements.tsv", line, field, 0)


def _credited_more(forged: Forged) -> None:
    forged.add("sdrs.tsv", forged.find("sdrs.tsv", "sdrId", "C-1"), "netMinor", -1)


def _credited_otherwise(forged: Forged) -> None:
    """Let the credit and its original say another amount, both the same."""
    line = forged.find("sdrs.tsv", "sdrId", "C-1")
    forged.set("sdrs.tsv", line, "netMinor", -100)
    _original(forged, 24, "100")


def _no_dispute(forged: Forged) -> None:
    for line in forged.files["corrections.tsv"][1:]:
        line[3] = ""


_LONG_AGO = "2026-01-01T00:00:00Z"

#: What the operator changes, who holds the key and makes all leaves, roots, digests and
#: signatures fit again; and the place that is named.
FORGERIES: dict[str, Forgery] = {
    "VAT of an invoice": (
        lambda f: _tax(f, 1),
        "documents.tsv line 3, vatMinor of the invoice of CHREP to DEABC in EUR",
    ),
    "VAT of one category": (
        lambda f: f.add("documentvat.tsv", 1, "vatMinor", -1),
        "documentvat.tsv line 2, CN-CHREP-2026-000001 S 810 vatMinor",
    ),
    "category of VAT": (_untaxed, "sdrs.tsv line 3, category, rate and rule of VAT of"),
    "rate in the table of VAT": (_rate, "sdrs.tsv line 3, category, rate and rule of"),
    "seller without a VAT id": (
        lambda f: f.set("profiles.tsv", 1, "vatId", ""),
        "sdrs.tsv line 3, category, rate and rule of VAT of",
    ),
    "country of the EVSE": (
        lambda f: f.set("sdrs.tsv", 2, "placeCountry", "DE"),
        "sdrs.tsv line 3, category, rate and rule of VAT of",
    ),
    "invoice is numbered anew": (
        lambda f: _number(f, 2, "IN-CHREP-2026-000009"),
        "documents.tsv line 3, number of the invoice of CHREP to DEABC in EUR:",
    ),
    "gap in the numbers of invoices": (
        lambda f: _number(f, 3, "IN-CHREP-2026-000004"),
        "documents.tsv line 4, number after IN-CHREP-2026-000002",
    ),
    "number that is given twice": (
        lambda f: _number(f, 3, "IN-CHREP-2026-000002"),
        "documents.tsv line 4, IN-CHREP-2026-000002: expected once",
    ),
    "numbers before the window": (
        lambda f: f.add("series.tsv", 2, "numbersBefore", 1),
        "documents.tsv line 3, number of the invoice of CHREP to DEABC in EUR",
    ),
    "invoice is missing": (
        lambda f: f.drop("documents.tsv", 2),
        "documents.tsv, number of the invoice of CHREP to DEABC in EUR",
    ),
    "line of an invoice": (
        lambda f: f.add("documentlines.tsv", 2, "netMinor", 100),
        "documentlines.tsv line 3, IN-CHREP-2026-000002 S 810 CH netMinor",
    ),
    "day of an invoice": (
        lambda f: f.set("documents.tsv", 2, "issuedAt", "2025-11-23T00:00:00.000000Z"),
        "documents.tsv line 3, issuedAt of IN-CHREP-2026-000002",
    ),
    "day by which an invoice is due": (
        lambda f: f.set("documents.tsv", 2, "dueOn", "2027-03-01"),
        "documents.tsv line 3, dueOn of IN-CHREP-2026-000002: expected 2026-12-22",
    ),
    "days of payment of an agreement": (
        lambda f: f.set("paymentterms.tsv", 1, "paymentDays", 14),
        "documents.tsv line 2, dueOn of CN-CHREP-2026-000001: expected 2026-12-06",
    ),
    "terms that nobody knew of": (
        lambda f: f.files["paymentterms.tsv"].append(
            ["2", "CHREP", "DEABC", "EUR", _LONG_AGO, "14", _LONG_AGO]
        ),
        "documents.tsv line 2, dueOn of CN-CHREP-2026-000001: expected 2026-12-06",
    ),
    "credit note that names no invoice": (
        lambda f: f.drop("references.tsv", 1),
        "references.tsv, preceding invoices of CN-CHREP-2026-000001: expected IN-",
    ),
    "credit note that names another invoice": (
        lambda f: f.set("references.tsv", 1, "preceding", "IN-CHREP-2026-000002"),
        "references.tsv line 2, preceding invoices of CN-CHREP-2026-000001: expected n",
    ),
    "earlier invoice of this window": (
        lambda f: f.set("earlierinvoices.tsv", 1, "windowId", 2),
        "earlierinvoices.tsv line 2, number: expected IN-CHREP of a window before 2",
    ),
    "energy of an SDR and of its batch": (_energy, "sdrs.tsv line 3, energyWh of"),
    "rating rules of nobody": (
        lambda f: f.set("sdrs.tsv", 2, "engineVersion", 3),
        "sdrs.tsv line 3, engineVersion of",
    ),
    "credit is more than its original": (
        _credited_more,
        "sdrs.tsv line 2, netMinor of credit C-1: expected -1149, found -1150",
    ),
    "credit and its original say another amount": (
        _credited_otherwise,
        "originals.tsv line 2, pairPath of",
    ),
    "credit without an original": (
        lambda f: f.drop("originals.tsv", 1),
        "sdrs.tsv line 2, refSdrNo of C-1",
    ),
    "original of another window": (
        lambda f: f.set("originals.tsv", 1, "windowId", 2),
        "originals.tsv line 2, row",
    ),
    "SDR of a kind that there is not": (
        lambda f: f.set("sdrs.tsv", 2, "kind", "ORIGINAA"),
        "sdrs.tsv line 3, kind: expected ORIGINAL, or a correction with its reference",
    ),
    "SDR that corrects nothing and says what": (
        lambda f: f.set("sdrs.tsv", 2, "refSdrNo", 1),
        "sdrs.tsv line 3, kind: expected ORIGINAL, or a correction with its reference",
    ),
    "end of a dispute about another EVSE": (
        lambda f: f.set("sdrs.tsv", 7, "evseKey", "CHREPE00012"),
        "sdrs.tsv line 8, evseKey of CH-",
    ),
    "end of a dispute about another time": (
        lambda f: f.set("sdrs.tsv", 9, "endedAt", "2026-11-22T06:41:00.000000Z"),
        "sdrs.tsv line 10, endedAt of CH-",
    ),
    "claim that was another one before its dispute": (
        lambda f: f.add("sdrs.tsv", 9, "claimedMinor", 1),
        "sdrs.tsv line 10, claimedMinor of CH-",
    ),
    "dispute about another SDR of an earlier window": (
        lambda f: f.set("disputes.tsv", 2, "sdrNo", 3),
        "disputes.tsv line 3, sdrNo of dispute",
    ),
    "dispute of another CSP": (
        lambda f: f.set("disputes.tsv", 2, "cspId", "FRXYZ"),
        "disputes.tsv line 3, cspId of dispute",
    ),
    "threshold that nobody can read": (
        lambda f: f.set("agreements.tsv", 1, "tolerancePpm", "many"),
        "agreements.tsv line 2, tolerancePpm: expected a whole number from 0, found m",
    ),
    "agreed amount without a dispute": (
        _no_dispute,
        "sdrs.tsv line 8, netMinor of CH-",
    ),
    "claim within the tolerance is not remarked": (
        _remark,
        "sdrs.tsv line 4, rules of",
    ),
    "tolerance of the agreement": (_tolerance, "sdrs.tsv line 4, rules of"),
    "agreement of others": (
        lambda f: f.set("agreements.tsv", 1, "homeId", "FRXYZ"),
        "judgements.tsv line 2, agreementId of C-1",
    ),
    "held SDR counts without a decision": (
        lambda f: f.set("sdrs.tsv", 2, "rules", "S-202"),
        "sdrs.tsv line 3, status of",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_operator_who_signs_wrong_figures_is_found_out(
    forgery: str, made: Made, tmp_path: Path
) -> None:
    require_found(made, FORGERIES[forgery], tmp_path)


@pytest.mark.parametrize(
    "forgery",
    [
        "VAT of an invoice",
        "invoice is numbered anew",
        "credit is more than its original",
    ],
)
def test_outsider_who_makes_all_fit_lacks_the_operators_key(
    forgery: str, made: Made, tmp_path: Path
) -> None:
    forged, own = Forged.open(made.content), Signer().key()
    change, place = FORGERIES[forgery]

    change(forged)
    forged.seal(own)
    forged.list(own)

    code, told = told_of(made, forged, tmp_path)
    assert code == 1
    assert "manifest.sig, signature: expected one by the given key" in told
    assert any(line.startswith(place) for line in told.splitlines()), told


def test_window_that_is_passed_off_as_another_is_found_out(
    made: Made, tmp_path: Path
) -> None:
    forged, private = Forged.open(made.content), made.signer.key()
    forged.manifest["window"]["windowId"] = 1
    forged.list(private)

    code, told = told_of(made, forged, tmp_path)

    assert code == 1
    assert "chain.tsv line 3, window of the last block: expected 1, found 2" in told
