"""One service of the clearing house behind zeep; the only module that calls zeep.

The WSDLs are read from the package, never from the network.
"""

# zeep's functions are only partly annotated:
# mypy: disallow-untyped-calls=False

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Generic, Protocol, TypeVar, cast

import requests
import zeep
import zeep.exceptions
from lxml import etree
from zeep.helpers import serialize_object

from clearinghouse import codes
from clearinghouse.endpoint.codec import (
    from_mapping,
    namespace,
    namespace_of,
    read_element,
    to_mapping,
)
from clearinghouse.endpoint.errors import CallError, FaultError, UnreachableError
from clearinghouse.endpoint.messages.common import ExchangeHeader, Fault, Result


class Answer(Protocol):
    """What every answer has."""

    @property
    def result(self) -> Result:
        """The first level of the answer."""


T_co = TypeVar("T_co", covariant=True)

_HEADER = f"{{{namespace_of(ExchangeHeader)}}}exchangeHeader"
_FAULT = f"{{{namespace_of(Fault)}}}fault"


@dataclass(frozen=True, slots=True)
class Operation(Generic[T_co]):
    """One operation of the contract and the type of its answer."""

    service: str
    name: str
    response: type[T_co]
    needs_token: bool = True

    def read(self, answer: object) -> T_co:
        """Return what zeep made of an answer as the dataclass.

        zeep hands out the only child of an answer instead of the answer.
        """
        plain = serialize_object(answer, dict)
        if len(fields(self.response)) == 1:  # type: ignore[arg-type] # a dataclass
            plain = {"result": plain}
        return from_mapping(self.response, cast("Mapping[str, object]", plain))


class Service:
    """Sends messages to one service."""

    def __init__(
        self, name: str, url: str, session: requests.Session, timeout_seconds: float
    ) -> None:
        self._client = zeep.Client(
            str(files("clearinghouse") / "wsdl" / f"{name}.wsdl"),
            transport=zeep.Transport(
                session=session,
                timeout=timeout_seconds,
                operation_timeout=timeout_seconds,
            ),
            settings=zeep.Settings(
                strict=True,
                xml_huge_tree=False,
                forbid_dtd=True,
                forbid_entities=True,
                forbid_external=True,
            ),
        )
        title = "".join(word.capitalize() for word in name.split("-"))
        self._port = self._client.create_service(
            f"{{{namespace(name)}}}{title}Soap11", f"{url}/services/{name}"
        )
        self._header = self._client.get_element(_HEADER)

    def send(
        self, operation: str, header: ExchangeHeader, body: Mapping[str, object]
    ) -> object:
        """Send one message once and return zeep's answer.

        Raises :class:`UnreachableError` when no readable answer came,
        :class:`FaultError` for a fault and :class:`CallError` SCHEMA when the body
        is not complete.
        """
        try:
            return self._port[operation](
                **body, _soapheaders=[self._header(**to_mapping(header))]
            )
        except zeep.exceptions.Fault as fault:
            raise _error_of(fault) from fault
        except (zeep.exceptions.TransportError, zeep.exceptions.XMLParseError) as error:
            raise UnreachableError(f"no readable answer: {error.message}") from error
        except requests.RequestException as error:
            raise UnreachableError(type(error).__name__) from error
        except (zeep.exceptions.ValidationError, TypeError) as error:
            raise CallError(codes.SCHEMA, str(error)) from error


def _error_of(fault: zeep.exceptions.Fault) -> CallError:
    detail = fault.detail
    found = detail.find(_FAULT) if etree.iselement(detail) else None
    if found is None:
        return UnreachableError(f"a fault without our detail: {fault.message}")
    return FaultError(read_element(Fault, found))
