"""The house's own terms as the settings give them."""

from __future__ import annotations

import pytest

from clearinghouse.services.environment import Limits
from clearinghouse.services.ports import Deadline
from clearinghouse.settings import Settings


def test_seconds_of_the_settings_become_exact_milliseconds() -> None:
    settings = Settings(
        authorize_seconds=2.3, authorize_partner_seconds=1.1, remote_start_seconds=0.007
    )

    limits = Limits.of(settings)

    assert limits.authorize_milliseconds == 2300
    assert limits.authorize_partner_milliseconds == 1100
    assert limits.remote_start_milliseconds == 7


def test_defaults_are_those_of_the_settings() -> None:
    assert Limits.of(Settings()) == Limits()


@pytest.mark.parametrize("name", ["", "x" * 101, "Clearing\u200bhouse", "two\nlines"])
def test_name_that_no_statement_may_show_is_a_wrong_setting(name: str) -> None:
    with pytest.raises(ValueError, match="no control or invisible characters"):
        Settings(name=name)


def test_deadline_that_has_passed_leaves_nothing() -> None:
    assert Deadline.after(0).remaining_milliseconds() == 0
    assert Deadline.after(-50).remaining_milliseconds() == 0
    assert 0 < Deadline.after(60_000).remaining_milliseconds() <= 60_000
