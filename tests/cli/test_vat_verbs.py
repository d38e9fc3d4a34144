"""The operator's verbs on the table of VAT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fixtures.verbs import admit, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

PROFILE = (
    *("--legal-name", "Abc", "--street", "Weg 1", "--city", "Ulm"),
    *("--postcode", "89073", "--email", "ap@abc.example", "--from", "2026-01-01"),
)


def test_rule_is_added_explained_and_ended(run: Callable[..., Result]) -> None:
    admit(run, "DEABC", "CSO")
    admit(run, "NLCSP", "CSP")
    german = (*PROFILE, "--country", "DE", "--vat-id", "DE136695976")
    value_of(run("--json", "billing", "set", "DEABC", *german))
    asked = ("DEABC", "NLCSP", "--place", "DE", "--at", "2026-11-01")

    before = value_of(run("--json", "vat", "explain", *asked))
    words = ("S", "--rate", "7.25", "--seller", "DE", "--buyer", "NL")
    added = value_of(run("--json", "vat", "add", *words, "--from", "2026-01-01"))
    after = value_of(run("--json", "vat", "explain", *asked))
    ended = value_of(
        run("--json", "vat", "end", str(added["rule"]), "--until", "2026-10-01")
    )
    again = value_of(run("--json", "vat", "explain", *asked))
    listed = value_of(run("--json", "vat", "list", "--place", "NL"))

    assert (before["category"], before["rate"]) == ("S", "19.00")
    assert (after["rate"], after["rule"]) == ("7.25", added["rule"])
    assert before["rule"] in after["rules"]
    assert ended["until"] == "2026-10-01"
    assert again == before
    assert added["rule"] in {row["rule"] for row in listed}
    assert "19.00 %" in run("vat", "explain", *asked).output


def test_rate_that_is_no_percentage_is_refused(run: Callable[..., Result]) -> None:
    for rate in ("19.005", "much", "99"):
        refused = run("vat", "add", "S", "--rate", rate, "--from", "2026-01-01")
        assert refused.exit_code != 0
        assert "Traceback" not in refused.output
