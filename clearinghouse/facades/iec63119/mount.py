"""The façade as a whole: all its operations, and the engine that offers them."""

from __future__ import annotations

from clearinghouse.contract.catalogue import Contract
from clearinghouse.facades.iec63119 import (
    access,
    authorization,
    credentials,
    directory,
    disputes,
    evse_status,
    evses,
    sdr_digests,
    sdrs,
    sessions,
    settlement,
    tariffs,
)
from clearinghouse.facades.iec63119.operations import Desk, OperationSpec, mounted
from clearinghouse.services.environment import Environment
from clearinghouse.soap.binding import Bindings
from clearinghouse.soap.operations import EngineSettings, Operation
from clearinghouse.soap.server import Engine


def specs() -> tuple[OperationSpec, ...]:
    """Return all operations of the façade, noun by noun."""
    return (
        *access.OPERATIONS,
        *directory.OPERATIONS,
        *credentials.OPERATIONS,
        *authorization.OPERATIONS,
        *sessions.OPERATIONS,
        *evses.OPERATIONS,
        *evse_status.OPERATIONS,
        *tariffs.OPERATIONS,
        *sdrs.OPERATIONS,
        *sdr_digests.OPERATIONS,
        *disputes.OPERATIONS,
        *settlement.OPERATIONS,
    )


def operations(env: Environment, contract: Contract) -> tuple[Operation, ...]:
    """Return all operations with their handlers bound to an environment."""
    return mounted(Desk(env, Bindings.of(contract)), specs())


def engine(env: Environment, contract: Contract, settings: EngineSettings) -> Engine:
    """Return the engine that offers the façade's operations."""
    return Engine(
        contract,
        operations(env, contract),
        authenticate=access.Authenticator(env),
        now=env.clock.now,
        settings=settings,
    )
