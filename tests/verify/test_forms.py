"""What cannot be read in a bundle is named: the file, the line, the field, its form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from clearinghouse.verify import forms
from clearinghouse.verify.archive import HEADINGS
from tests.verify.finding import told_of
from tests.verify.forging import Forged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verify.worlds import Made

_RULE = "every line has its fields, and every field its form"

#: What no form fits but that of a text.
_UNREADABLE = "\\"


def _told(
    made: Made, forged: Forged, folder: Path, rule: str = _RULE
) -> list[dict[str, Any]]:
    forged.list(made.signer.key())
    code, told = told_of(made, forged, folder, "--json")
    assert code == 1
    return [one for one in json.loads(told)["differences"] if one["rule"] == rule]


def test_each_field_that_cannot_be_read_is_named_with_the_form_that_it_should_have(
    made: Made, tmp_path: Path
) -> None:
    forged = Forged.open(made.content)
    for heading, *lines in forged.files.values():
        for line in lines[:1]:
            line[:] = [_UNREADABLE] * len(heading)
    wanted = [
        (name, 2, one.name, one.form)
        for name, lines in forged.files.items()
        for one in forms.forms_of(name, 3)
        if len(lines) > 1 and not one.form.startswith("a text")
    ]

    found = [
        tuple(one[key] for key in ("file", "line", "field", "expected"))
        for one in _told(made, forged, tmp_path)
    ]

    assert found == wanted
    assert len(wanted) > len(HEADINGS)


def test_nothing_stands_where_something_must(made: Made, tmp_path: Path) -> None:
    forged = Forged.open(made.content)
    forged.set("agreements.tsv", 2, "toleranceMinor", "")
    forged.set("agreements.tsv", 2, "netCeilingMinor", "")

    (one,) = _told(made, forged, tmp_path)

    assert (one["line"], one["field"]) == (3, "toleranceMinor")
    assert (one["expected"], one["found"]) == ("a whole number from 0", "nothing")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("opened", "infinity"),
        ("opened", "2026-11-22 13:00:00+00"),
        ("net", "1e3"),
        ("net", "1_149"),
        ("net", " 1149"),
        ("net", "1149.0"),
        ("net", "9" * 19),
    ],
)
def test_what_a_database_might_read_otherwise_has_not_its_form(
    made: Made, tmp_path: Path, field: str, value: str
) -> None:
    forged = Forged.open(made.content)
    name = {"opened": "openedAt", "net": "netMinor"}[field]
    forged.set("disputes.tsv", 1, name, value)

    (one,) = _told(made, forged, tmp_path)

    assert (one["file"], one["field"], one["found"]) == ("disputes.tsv", name, value)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("disputes.tsv", "openedAt", "2026-02-30T00:00:00.000000Z"),
        ("paymentterms.tsv", "concludedAt", "2026-11-22T24:00:01.000000Z"),
        ("documents.tsv", "dueOn", "2027-02-29"),
        ("tariffs.tsv", "components", '[{"type": "ENERGY"'),
    ],
)
def test_days_that_no_calendar_has_and_broken_json_are_named(
    made: Made, tmp_path: Path, name: str, field: str, value: str
) -> None:
    forged = Forged.open(made.content)
    forged.set(name, 1, field, value)

    rule = "every day is one of the calendar, and JSON can be read"
    (one,) = _told(made, forged, tmp_path, rule)

    assert (one["file"], one["line"], one["field"]) == (name, 2, field)
    assert one["found"] == value


@pytest.mark.parametrize("fields", [[], ["1", "more"]])
def test_line_of_another_length_than_its_heading_is_named(
    made: Made, tmp_path: Path, fields: list[str]
) -> None:
    forged = Forged.open(made.content)
    line = forged.files["references.tsv"][1]
    line[:] = line[:1] if not fields else [*line, *fields]

    (one,) = _told(made, forged, tmp_path)

    assert (one["file"], one["line"], one["field"]) == ("references.tsv", 2, "fields")
    assert (one["expected"], one["found"]) == ("2", str(len(line)))


def test_what_is_said_of_single_fields_is_of_fields_that_are_there() -> None:
    there = {
        (name, field) for name, heading in HEADINGS.items() for field in heading.split()
    }
    optional = {
        (name, field)
        for name, fields in forms.OPTIONAL.items()
        for field in fields.split()
    }

    assert forms.OF_FILE.keys() | optional <= there
