"""The authored files and the examples, read without the code that is tested."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "examples"
SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
NAMES = {
    "xs": "http://www.w3.org/2001/XMLSchema",
    "wsdl": "http://schemas.xmlsoap.org/wsdl/",
    "soap": "http://schemas.xmlsoap.org/wsdl/soap/",
    "soap12": "http://schemas.xmlsoap.org/wsdl/soap12/",
}
XS = f"{{{NAMES['xs']}}}"

SCHEMAS = tuple(path.stem for path in sorted((ROOT / "xsd").glob("*.xsd")))
SERVICES = tuple(path.stem for path in sorted((ROOT / "wsdl").glob("*.wsdl")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One example file; ``rule`` says what an invalid one breaks."""

    service: str
    operation: str
    rule: str
    path: Path

    def __str__(self) -> str:
        """Name the example in the list of tests."""
        return f"{self.service}-{self.path.stem}"

    def parts(self) -> list[etree._Element]:
        """Return header and body elements, in that order."""
        envelope = etree.parse(self.path).getroot()
        return [
            child
            for part in envelope.iterchildren(f"{{{SOAP11}}}*")
            for child in part.iterchildren("*")
        ]


def namespace(name: str) -> str:
    """Return the namespace that a file of this name has to have."""
    return f"urn:clearinghouse:iec63119:{name}:1"


def select(node: etree._Element, path: str) -> list[etree._Element]:
    """Return the elements that an XPath finds, prefixes as in ``NAMES``."""
    found = node.xpath(path, namespaces=NAMES)
    assert isinstance(found, list)
    return [item for item in found if isinstance(item, etree._Element)]  # noqa: SLF001


@cache
def text(folder: str, name: str) -> str:
    """Return an authored file as text."""
    return (ROOT / folder / f"{name}.{folder}").read_text(encoding="utf-8")


def parse(content: str) -> etree._Element:
    """Parse a file of ours, comments left out."""
    parser = etree.XMLParser(remove_comments=True)
    return etree.fromstring(content.encode(), parser)


@cache
def examples(kind: str) -> tuple[Example, ...]:
    """Return the examples of a kind: ``valid``, ``response`` or ``invalid``."""
    folder = "valid" if kind == "response" else kind
    found = []
    for path in sorted(EXAMPLES.glob(f"*/{folder}/*.xml")):
        response = path.stem.endswith(".response")
        if folder == "valid" and response != (kind == "response"):
            continue
        operation, _, rule = path.stem.removesuffix(".response").partition("--")
        service = path.parents[1].name
        found.append(
            Example(service=service, operation=operation, rule=rule, path=path)
        )
    return tuple(found)
