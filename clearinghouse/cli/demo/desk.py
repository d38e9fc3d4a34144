"""The house's operators in the demo: two people who let themselves in and act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from clearinghouse.services import operators

if TYPE_CHECKING:
    from clearinghouse.domain.approvals import Operator
    from clearinghouse.services.environment import Environment


def operator(env: Environment, secrets: Mapping[str, str], name: str) -> Operator:
    """Return an operator of the demo; he is let in when he is not there yet."""
    password = secrets[name]
    if name not in {one.name for one in operators.all_operators(env)}:
        operators.add(env, name, password, by=None)
    return operators.authenticated(env, name, password)
