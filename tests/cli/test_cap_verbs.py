"""The operator's verbs on net debit caps."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.fixtures.verbs import admit, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result


def test_cap_is_put_listed_and_lifted(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSP")

    put = value_of(run("--json", "cap", "put", "DEABC", "50000.00"))
    listed = value_of(run("--json", "cap", "list"))
    later = run("cap", "put", "DEABC", "1", "--from", "2199-01-01")
    lifted = value_of(run("--json", "cap", "lift", "DEABC"))

    assert put["cap"] == "50000.00"
    assert listed == [
        {
            "party": "DEABC",
            "currency": "EUR",
            "cap": "50000.00",
            "owed": "0.00",
            "percent": 0,
            "alarm": None,
        }
    ]
    assert later.output == "DEABC may owe 1.00 EUR from 2199-01-01T00:00:00Z on\n"
    assert lifted["cap"] is None
    assert value_of(run("--json", "cap", "list")) == []
    history = value_of(run("--json", "cap", "history"))
    assert [row["cap"] for row in history] == ["50000.00", "1.00", None]


def test_cap_is_lifted_once(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSP")
    admit(run, "DEXYZ", "CSP")
    later = ("--from", "2199-01-01")
    value_of(run("--json", "cap", "put", "DEABC", "5"))
    value_of(run("--json", "cap", "lift", "DEABC"))
    value_of(run("--json", "cap", "put", "DEABC", "7", *later))

    again = run("cap", "lift", "DEABC")
    never = run("cap", "lift", "DEXYZ")
    before = run("cap", "lift", "DEABC", "--from", "2020-01-01")

    assert re.fullmatch(r"DEABC has no cap in EUR at \S+Z already\n", again.output)
    assert re.fullmatch(r"DEXYZ has no cap in EUR at \S+Z already\n", never.output)
    assert before.output == "DEABC has no cap in EUR at 2020-01-01T00:00:00Z already\n"
    assert (again.exit_code, never.exit_code) == (0, 0)
    value_of(run("--json", "cap", "lift", "DEABC", *later))
    history = value_of(run("--json", "cap", "history"))
    assert [row["cap"] for row in history] == ["5.00", None, "7.00", None]


def test_cap_below_zero_is_refused_for_its_amount(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSP")

    refused = run("cap", "put", "DEABC", "-5", "--currency", "EUR")
    no_option = run("cap", "put", "DEABC", "5", "--form", "2199-01-01")

    assert refused.exit_code == 1
    assert "amount: expected 0 to" in refused.output
    assert no_option.exit_code == 2
    assert value_of(run("--json", "cap", "history")) == []


def test_cap_that_makes_no_sense_is_refused(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSP")

    for words in (("DEABC", "1.005"), ("DEABC", "1", "--currency", "XYZ"), ("NO", "1")):
        refused = run("cap", "put", *words)
        assert refused.exit_code != 0
        assert "Traceback" not in refused.output
    assert value_of(run("--json", "cap", "history")) == []


def test_cap_is_for_a_csp_alone(run: Callable[..., Result]) -> None:
    admit(run, "DEXYZ", "CSO")

    refused = run("cap", "put", "DEXYZ", "100")

    assert refused.exit_code == 1
    assert "party: expected a partner in the role CSP" in refused.output
    assert value_of(run("--json", "cap", "history")) == []


def test_doctor_tells_of_a_cap_of_nothing_in_words(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSP")
    value_of(run("--json", "cap", "put", "DEABC", "0"))

    looked = json.loads(run("--json", "doctor").stdout)

    (found,) = [one for one in looked if one["what"] == "net debit caps"]
    assert found["found"] == "nearly used up: DEABC may owe no EUR"
