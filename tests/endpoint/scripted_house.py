"""A clearing house that answers from a script, over the real engine and real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.contract.catalogue import Contract
from clearinghouse.endpoint.serving import Address, Serving
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.operations import Call, EngineSettings, Lane, Operation
from clearinghouse.soap.server import Engine

Handler = Callable[[Call, Bindings], Record]

TOKEN = "ch1_" + "a" * 43
TOKEN_SECONDS = 1_200


def result(bindings: Bindings, call: Call, code: Code = codes.OK) -> Record:
    """Make the first level of an answer."""
    return bindings.new(
        "common:Result",
        code=code.number,
        text=code.text,
        retryable=code.retryable,
        correlation_id=call.correlation_id,
    )


@dataclass(slots=True)
class ScriptedHouse:
    """Remembers every call; ``script`` says what an operation answers."""

    contract: Contract
    script: dict[str, Handler] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    token_seconds: int = TOKEN_SECONDS
    serving: Serving | None = None
    bindings: Bindings | None = None

    def start(self) -> str:
        """Serve on a free port and return the address."""
        engine = Engine(
            self.contract,
            [self._operation(name, service) for service, name in self._offered()],
            authenticate=self._authenticate,
            now=lambda: datetime.now(UTC),
            settings=EngineSettings(validate_responses=True),
        )
        self.bindings = engine.bindings
        self.serving = Serving(engine, Address())
        return self.serving.url

    @property
    def url(self) -> str:
        """Where the house answers."""
        if self.serving is None:
            raise RuntimeError("not started")
        return self.serving.url

    def stop(self) -> None:
        """Stop serving."""
        if self.serving is not None:
            self.serving.stop()

    def named(self, operation: str) -> list[Call]:
        """Return the calls of one operation, oldest first."""
        return [call for call in self.calls if call.operation.name == operation]

    def _offered(self) -> list[tuple[str, str]]:
        return [
            (operation.service, operation.name)
            for operation in self.contract.operations.values()
            if not operation.service.endswith("-endpoint")
        ]

    def _operation(self, name: str, service: str) -> Operation:
        lane = Lane.BULK if name == "SubmitSdrs" else Lane.ORDINARY
        return Operation(service=service, name=name, handler=self._answer, lane=lane)

    def _authenticate(self, header: Record, operation_name: str) -> object:
        if operation_name != "Login" and header.session_token not in self.tokens:
            raise SoapFault(codes.TOKEN)
        return header.sender_id

    def _answer(self, call: Call) -> Record:
        if self.bindings is None:
            raise RuntimeError("not started")
        if call.stream is not None:
            call.body.service_detail_record = list(call.stream.records())
        self.calls.append(call)
        handler = self.script.get(call.operation.name, self._plain)
        return handler(call, self.bindings)

    def _plain(self, call: Call, bindings: Bindings) -> Record:
        """Answer with nothing but a result, and a token where one is asked for."""
        service, name = call.operation.service, call.operation.name
        fields: dict[str, object] = {}
        if name in {"Login", "RenewToken"}:
            token = f"{TOKEN[:-4]}{len(self.tokens):04d}"
            self.tokens.add(token)
            ends = datetime.now(UTC) + timedelta(seconds=self.token_seconds)
            fields = {"session_token": token, "expires_at": ends}
        return bindings.new(
            f"{service}:{name}Response", result=result(bindings, call), **fields
        )
