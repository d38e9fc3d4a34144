"""Patterns of the schemas, said so that libxml2 runs them faster.

For ``[A-Z]{1,64}`` libxml2 counts, and notes at each character how it could go back;
for ``[A-Z]+`` it does neither. Where minLength and maxLength of the same type say 1 to
64 as well, both take the same values. And it compares a character with all ranges of a
class, even when the first one fits, so that what is rare gets a class of its own. The
authored files, which are published, are written for readers and generators instead.
"""

from __future__ import annotations

import re

from lxml import etree

from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.contract.model import XSD

# One class of characters, and how many of it.
_COUNTED_CLASS = re.compile(
    r"(?P<characters>\[(?:\\.|[^\[\]\\])+\]|\\[pP]\{\w+\})"
    r"\{(?P<least>[0-9]+),(?P<most>[0-9]+)\}"
)
_USUAL = "A-Za-z0-9"
# Classes of the usual characters and of some that follow, none of them a sign to start.
_USUAL_AND_RARE = re.compile(rf"\[{_USUAL}(?P<rare>[^\[\]^-][^\[\]]*)\]")
# Classes of what is not refused, where nothing of ASCII is but the control characters.
_ALL_BUT_RARE = re.compile(
    r"\[\^(?P<refused>\\p\{Cc\}(?:\\p\{(?:Cf|Co|Zl|Zp)\}|-?[^\x00-\x7f])*)\]"
)
_PRINTABLE = " -~"
_RESTRICTION = f"{{{XSD}}}restriction"


def simplified(files: AuthoredFiles) -> dict[str, bytes]:
    """Return the authored files with faster patterns in the schemas, by path."""
    content = dict(files.content)
    for name in files.names("xsd"):
        root = files.parse(f"xsd/{name}.xsd")
        for restriction in root.iter(_RESTRICTION):
            _simplify(restriction)
        content[f"xsd/{name}.xsd"] = etree.tostring(root)
    return content


def _simplify(restriction: etree._Element) -> None:
    """Leave the counting to the length facets, where they count the same."""
    if restriction.get("base") != "xs:string":
        return
    for pattern in restriction.iterfind(f"{{{XSD}}}pattern"):
        counted = _COUNTED_CLASS.fullmatch(pattern.get("value", ""))
        if counted is None:
            continue
        least, most = int(counted["least"]), int(counted["most"])
        fits_least = least <= 1 or least <= _length(restriction, "minLength", 0)
        if fits_least and _length(restriction, "maxLength", most + 1) <= most:
            characters = _USUAL_AND_RARE.sub(
                rf"([{_USUAL}]|[\g<rare>])", counted["characters"]
            )
            characters = _ALL_BUT_RARE.sub(
                rf"([{_PRINTABLE}]|[^{_PRINTABLE}\g<refused>])", characters
            )
            pattern.set("value", characters + ("+" if least else "*"))


def _length(restriction: etree._Element, facet: str, otherwise: int) -> int:
    found = restriction.find(f"{{{XSD}}}{facet}")
    return otherwise if found is None else int(found.get("value", ""))
