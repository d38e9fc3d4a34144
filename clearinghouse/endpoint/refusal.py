"""Why a message is not answered, or an answer says no: a code of the catalogue."""

from __future__ import annotations

from clearinghouse.codes import Code


class RefusalError(Exception):
    """Raised to answer with a SOAP fault: the message itself is not acceptable.

    ``path`` names the element that is wrong, when one is.
    """

    def __init__(self, code: Code, path: str = "") -> None:
        super().__init__(code.name, path)
        self.code = code
        self.path = path


class NotTakenError(Exception):
    """Raised by a behaviour to answer with a result other than 0.

    With a retryable code the clearing house sends the same message again later,
    with the same ids; with another code it gives up and tells its operator.
    """

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code
