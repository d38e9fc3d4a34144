"""Validation of whole envelopes: one compiled schema for header, body and all.

The schema of the envelope is generated: it lets any header block through but checks
those that the contract knows, and wants exactly one element of the contract in the
Body. One pass over a message costs a third less than header and body apart.
"""

from __future__ import annotations

from queue import SimpleQueue
from types import MappingProxyType

from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.contract.model import namespace
from clearinghouse.soap.limits import HEADER_BLOCKS_MAX
from clearinghouse.soap.patterns import simplified
from clearinghouse.soap.versions import VERSIONS, Version

_ENVELOPE = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"
  targetNamespace="{namespace}" elementFormDefault="qualified" blockDefault="#all">
{imports}
<xs:element name="Envelope"><xs:complexType><xs:sequence>
<xs:element name="Header" minOccurs="0"><xs:complexType><xs:sequence>
<xs:any namespace="##any" processContents="lax" minOccurs="0" maxOccurs="{blocks}"/>
</xs:sequence><xs:anyAttribute namespace="##other" processContents="lax"/>
</xs:complexType></xs:element>
<xs:element name="Body"><xs:complexType><xs:sequence>
<xs:any namespace="##other" processContents="strict"/>
</xs:sequence><xs:anyAttribute namespace="##other" processContents="lax"/>
</xs:complexType></xs:element>
</xs:sequence><xs:anyAttribute namespace="##other" processContents="lax"/>
</xs:complexType></xs:element>
</xs:schema>"""


#: Validations of one schema that run at once; more wait some microseconds. All are
#: compiled at the start: libxml2 looks imports up in one place that all threads share,
#: so that a compilation beside other parsing may lose them.
STOCK = 4


class Validator:
    """A schema for many threads.

    lxml keeps the errors of the last validation inside the schema object, so each
    validation takes one of a stock for itself: the one that was used last, which the
    processor still has at hand.
    """

    def __init__(self, files: AuthoredFiles, name: str) -> None:
        self._stock = [files.compile(name) for _ in range(STOCK)]
        # An entry for each schema in the stock; who gets one finds a schema there.
        self._free: SimpleQueue[None] = SimpleQueue()
        for _ in self._stock:
            self._free.put(None)

    def accepts(self, element: etree._Element) -> bool:
        """Whether the element is valid."""
        self._free.get()
        schema = self._stock.pop()
        try:
            return schema(element)
        except etree.XMLSchemaError:
            # libxml2 gave up inside (an entity node, a pattern too dear).
            return False
        finally:
            self._stock.append(schema)
            self._free.put(None)


def envelope_validators(contract: Contract) -> dict[Version, Validator]:
    """Return a validator of whole messages for each SOAP version."""
    return contract.once(_envelope_validators)


def _envelope_validators(contract: Contract) -> dict[Version, Validator]:
    imports = "\n".join(
        f'<xs:import namespace="{space}" schemaLocation="{file}.xsd"/>'
        for space, file in target_namespaces(contract).items()
    )
    return {
        version: generated(
            contract,
            version.name,
            _ENVELOPE.format(
                namespace=version.namespace, imports=imports, blocks=HEADER_BLOCKS_MAX
            ),
        )
        for version in VERSIONS
    }


def element_validator(contract: Contract, name: str) -> Validator:
    """Return a validator of single elements: of all in the file that declares this one.

    Raises as :func:`schema_file` does.
    """
    return contract.once(_file_validator, schema_file(contract, name))


def _file_validator(contract: Contract, file: str) -> Validator:
    return Validator(contract.files, file)


def schema_file(contract: Contract, name: str) -> str:
    """Return the schema file, without its ending, that declares a Clark name.

    Raises :class:`KeyError` when no file has its namespace.
    """
    return target_namespaces(contract)[namespace(name)]


def target_namespaces(contract: Contract) -> dict[str, str]:
    """Return the schema files by their target namespaces."""
    return contract.once(_target_namespaces)


def _target_namespaces(contract: Contract) -> dict[str, str]:
    files = contract.files
    return {
        str(files.parse(f"xsd/{name}.xsd").get("targetNamespace")): name
        for name in files.names("xsd")
    }


def generated(contract: Contract, name: str, text: str) -> Validator:
    """Return the validator of a schema of ours that is no authored file."""
    content = contract.once(_simplified) | {f"xsd/{name}.xsd": text.encode()}
    return Validator(AuthoredFiles(content=MappingProxyType(content)), name)


def _simplified(contract: Contract) -> dict[str, bytes]:
    return simplified(contract.files)
