"""Trees of foreign standards: elements of several namespaces, in fixed order.

Our own documents are written as text, line by line; an invoice is small and its
standard has hundreds of elements, so a tree is built and lxml does the escaping.
"""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from clearinghouse.texts import readable


class Element:
    """One element to which more can be added; names are written ``prefix:name``."""

    __slots__ = ("_names", "_node")

    def __init__(self, node: etree._Element, names: Mapping[str, str]) -> None:
        self._node = node
        self._names = names

    def add(self, name: str, text: str | None = None, **attributes: str) -> Element:
        """Add a child, with a text and attributes, and return it."""
        child = etree.SubElement(self._node, qualified(name, self._names))
        for key, value in attributes.items():
            child.set(key, value)
        if text is not None:
            child.text = readable(text)
        return Element(child, self._names)

    def within(self, *names: str) -> Element:
        """Add one child in the other and return the innermost."""
        inner = self
        for name in names:
            inner = inner.add(name)
        return inner

    def document(self) -> bytes:
        """Return the whole tree as UTF-8 with a declaration, indented for people."""
        tree = self._node.getroottree()
        etree.indent(tree)
        return etree.tostring(tree, encoding="UTF-8", xml_declaration=True) + b"\n"


def qualified(name: str, names: Mapping[str, str]) -> str:
    """Return ``prefix:name`` in the notation of lxml."""
    prefix, _, local = name.rpartition(":")
    return f"{{{names[prefix]}}}{local}"


def root(name: str, names: Mapping[str, str]) -> Element:
    """Begin a tree; ``names`` are namespaces by prefix, the empty one is default."""
    declared = {prefix or None: uri for prefix, uri in names.items()}
    return Element(etree.Element(qualified(name, names), nsmap=declared), names)
