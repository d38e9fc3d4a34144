"""The two SOAP versions: namespaces, names and the bytes around a body."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One SOAP version; there are two of them, :data:`SOAP_11` and :data:`SOAP_12`.

    No enumeration, because looking one up costs more than a message can spare.
    """

    name: str
    namespace: str
    content_type: str
    role_attribute: str
    envelope: str = field(init=False)
    header: str = field(init=False)
    body: str = field(init=False)
    fault: str = field(init=False)
    must_understand: str = field(init=False)
    role: str = field(init=False)
    opening: bytes = field(init=False)
    opening_with_header: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Derive the qualified names and the bytes in front of a body."""
        space = f"{{{self.namespace}}}"
        start = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<soap:Envelope xmlns:soap="{self.namespace}">'
        )
        derived = {
            "envelope": f"{space}Envelope",
            "header": f"{space}Header",
            "body": f"{space}Body",
            "fault": f"{space}Fault",
            "must_understand": f"{space}mustUnderstand",
            "role": f"{space}{self.role_attribute}",
            "opening": f"{start}<soap:Body>".encode(),
            "opening_with_header": f"{start}<soap:Header>".encode(),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


SOAP_11 = Version(
    "SOAP-1.1",
    "http://schemas.xmlsoap.org/soap/envelope/",
    "text/xml; charset=utf-8",
    "actor",
)
SOAP_12 = Version(
    "SOAP-1.2",
    "http://www.w3.org/2003/05/soap-envelope",
    "application/soap+xml; charset=utf-8",
    "role",
)
VERSIONS = (SOAP_11, SOAP_12)
