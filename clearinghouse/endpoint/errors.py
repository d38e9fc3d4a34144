"""What goes wrong in a call to the clearing house, each with its code."""

from __future__ import annotations

from clearinghouse import codes
from clearinghouse.codes import Code
from clearinghouse.endpoint.messages.common import Fault, Result


class CallError(Exception):
    """Any call that did not do what was asked; ``code`` is of the catalogue.

    ``retryable`` says whether the same message may be sent again later.
    """

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(f"{code.number} {code.name}: {text}")
        self.code = code

    @property
    def retryable(self) -> bool:
        """Whether the same message may be sent again later."""
        return self.code.retryable


class UnreachableError(CallError):
    """No answer came: what the clearing house did with the message is unknown.

    Repeat it with the same ``message_id`` to find out.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(codes.UNAVAILABLE, reason)


class FaultError(CallError):
    """The clearing house refused the message itself with a SOAP fault."""

    def __init__(self, fault: Fault) -> None:
        paths = ", ".join(item.path for item in fault.item if item.path)
        super().__init__(_code(fault.number), f"{fault.text} {paths}".strip())
        self.fault = fault


class RefusedError(CallError):
    """The clearing house answered, and the answer is no; the items say why."""

    def __init__(self, result: Result) -> None:
        super().__init__(_code(result.code), _describe(result))
        self.result = result


def _code(number: int) -> Code:
    # A newer clearing house may have codes that this package does not know.
    return codes.CATALOGUE.get(number, codes.INTERNAL)


def _describe(result: Result) -> str:
    items = "; ".join(
        f"[{item.index}] {item.code} {item.text} {item.path or ''}".strip()
        for item in result.item[:5]
    )
    return f"{result.text} {items} ({result.correlation_id})"
