"""A desk for batches: a house whose SubmitSdrs keeps what it was given."""

from __future__ import annotations

from collections.abc import Callable

from clearinghouse import codes
from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.binding import Record
from clearinghouse.soap.bulk import RecordFault
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.operations import Call, EngineSettings, Lane, Operation
from clearinghouse.soap.server import Engine
from tests.soap.house import NOW, Answer, House, example, message

EXAMPLE = message("sdr", "SubmitSdrs")
_FIRST = EXAMPLE.index(b"<sdr:serviceDetailRecord>")
_LAST = EXAMPLE.rindex(b"</sdr:serviceDetailRecord>") + len(
    b"</sdr:serviceDetailRecord>"
)
HEAD, TAIL = EXAMPLE[:_FIRST], EXAMPLE[_LAST:]
RECORD = EXAMPLE[_FIRST : EXAMPLE.index(b"</sdr:serviceDetailRecord>") + 26]
_ID = RECORD[RECORD.index(b"<sdr:sdrId>") + 11 : RECORD.index(b"</sdr:sdrId>")]


def record(number: int) -> bytes:
    return RECORD.replace(_ID, b"R-%d" % number)


def batch(count: int, change: Callable[[int, bytes], bytes] | None = None) -> bytes:
    """Return a batch of so many records; ``change`` may alter each of them."""
    records = (record(number) for number in range(count))
    if change is not None:
        records = (change(number, one) for number, one in enumerate(records))
    return HEAD + b"".join(records) + TAIL


Entry = Record | RecordFault


class Desk:
    """A house whose SubmitSdrs keeps what it was given."""

    def __init__(self, contract: Contract, bulk_bytes_max: int = 20_000_000) -> None:
        self.fresh()
        engine = Engine(
            contract,
            [
                Operation(
                    service="sdr",
                    name="SubmitSdrs",
                    handler=self.submit,
                    lane=Lane.BULK,
                ),
                Operation(service="sdr", name="GetSdrs", handler=self.get),
                Operation(
                    service="authorization",
                    name="AuthorizeStart",
                    handler=self.authorize,
                    lane=Lane.REALTIME,
                ),
            ],
            authenticate=self.authenticate,
            now=lambda: NOW,
            settings=EngineSettings(bulk_bytes_max=bulk_bytes_max),
        )
        self.house = House(engine)

    def fresh(self) -> None:
        """Forget what was before."""
        self.entries: list[Entry] = []
        self.calls: list[Call] = []
        self.keep = True
        self.count = 0
        self.seen: list[str] = []
        self.refuse = False

    def authenticate(self, header: Record, operation: str) -> str:
        self.seen.append(f"{operation} {len(self.entries)}")
        if self.refuse:
            raise SoapFault(codes.TOKEN)
        return str(header.sender_id)

    def submit(self, call: Call) -> bytes:
        self.calls.append(call)
        assert call.stream is not None
        for entry in call.stream.records():
            self.count += 1
            if self.keep:
                self.entries.append(entry)
        return self._answer("SubmitSdrs")

    def get(self, call: Call) -> bytes:
        assert call.stream is None
        self.calls.append(call)
        return self._answer("GetSdrs")

    def authorize(self, call: Call) -> bytes:
        self.house.calls.append(call)
        (response,) = example("authorization", "AuthorizeStart", "response").parts()
        return self.house.engine.bindings.write(
            self.house.engine.bindings.read(response)
        )

    def _answer(self, name: str) -> bytes:
        (response,) = example("sdr", name, "response").parts()
        bindings = self.house.engine.bindings
        return bindings.write(bindings.read(response))

    def post(self, data: bytes, **more: object) -> Answer:
        return self.house.post("sdr", data, **more)
