"""The parsers: the only place that builds one.

lxml's options are security settings here. Resolving entities, loading a document
type, opening the network and huge trees are off. Comments and processing
instructions are dropped, so that ``NL-<!-- -->ABC`` reads as one text and cannot
be cut in two.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lxml import etree

from clearinghouse import codes
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.limits import (
    ATTRIBUTES_MAX,
    DEPTH_MAX,
    MESSAGE_MARKUP,
    Markup,
    check_bytes,
)

# The names of a message stay in a dictionary of the thread for as long as the
# thread lives. After this many bytes of refused messages the thread parses in
# throw-away threads, whose dictionary dies with the tree (about 0.1 ms each).
SUSPECT_BYTES_MAX = 4_194_304

T = TypeVar("T")

XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
# An equals sign behind ``id``, or behind white space, where an id may stand further in
# front. Looking for the sign first and then back takes a tenth of the time.
_ID_HINT = re.compile(rb"=(?:(?<=[Ii][Dd]=)|(?<=\s=))")
_ID_NAMES = frozenset({"id", "Id", "ID"})
# Evaluated inside libxml2: 0.3 ms for 26,000 elements, where a walk takes 7 ms.
_TOO_DEEP = etree.XPath(f"boolean({'/*' * (DEPTH_MAX + 1)})")
_TOO_MANY_ATTRIBUTES = etree.XPath(f"boolean(//*[@*[{ATTRIBUTES_MAX + 1}]])")


class _Thread(threading.local):
    """What one thread keeps: its parser, and how much refused input it has seen."""

    def __init__(self) -> None:
        self.parser = _tree_parser()
        self.suspect_bytes = 0


def _tree_parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


def pull_parser(tags: Sequence[str]) -> etree.XMLPullParser:
    """Return a parser that is fed in pieces and tells of elements with these names.

    Same options as the tree parser; the guards on bytes are the feeder's duty. To be
    used in a thread of its own (:func:`apart`), for it keeps every name it meets.
    """
    return etree.XMLPullParser(
        events=("start", "end"),
        tag=tags,
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


_THREAD = _Thread()


def parse(data: bytes, markup: Markup = MESSAGE_MARKUP) -> etree._Element:
    """Return the root of a message under all structural limits.

    ``markup`` bounds what is no message of a partner; its caller knows why.
    Raises :class:`SoapFault` with a code of the ``CH.XML`` family. Every such
    message counts as suspect (see :func:`count_suspect`).
    """
    try:
        is_flat = check_bytes(data, markup)
        if _THREAD.suspect_bytes < SUSPECT_BYTES_MAX:
            root = etree.fromstring(data, _THREAD.parser)
        else:
            root = apart(lambda: etree.fromstring(data, _tree_parser()))
        if not is_flat or _ID_HINT.search(data):
            check_tree(root, data)
    except SoapFault:
        count_suspect(len(data))
        raise
    except etree.XMLSyntaxError as error:
        count_suspect(len(data))
        raise SoapFault(codes.XML_MALFORMED, detail="not well-formed") from error
    return root


def count_suspect(length: int) -> None:
    """Note that this thread parsed a message of so many bytes that was refused."""
    _THREAD.suspect_bytes += length


def parse_own(data: bytes) -> etree._Element:
    """Return the root of a message of our own making, whatever its length.

    Raises :class:`ValueError` when it is not well-formed.
    """
    try:
        return etree.fromstring(data, _THREAD.parser)
    except etree.XMLSyntaxError as error:
        raise ValueError("our own message is not well-formed") from error


def apart(job: Callable[[], T]) -> T:
    """Run a job in a thread of its own and return, or raise, what it does.

    The names of what is parsed in it die with the trees.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(job).result()


def check_tree(root: etree._Element, data: bytes) -> None:
    """Check depth, attributes, namespace declarations and ids of each element.

    Raises :class:`SoapFault` XML_LIMIT, or XML_MALFORMED for an id used twice: what
    a signature names must be one element.
    """
    if _TOO_DEEP(root) or _TOO_MANY_ATTRIBUTES(root):
        raise SoapFault(codes.XML_LIMIT, detail="depth or attributes")
    if data.count(b"xmlns") > ATTRIBUTES_MAX:
        _check_declarations(root)
    if _ID_HINT.search(data):
        _check_ids(root)


def _check_ids(root: etree._Element) -> None:
    ids: set[str] = set()
    for element in root.iter():
        for name, value in element.attrib.items():
            if str(name).rpartition("}")[2] not in _ID_NAMES:
                continue
            if str(value) in ids:
                raise SoapFault(codes.XML_MALFORMED, detail="an id stands twice")
            ids.add(str(value))


def _check_declarations(root: etree._Element) -> None:
    """Bound the namespace declarations of each element, which are no attributes."""
    count = 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "start")):
        count = count + 1 if event == "start-ns" else 0
        if count > ATTRIBUTES_MAX:
            raise SoapFault(codes.XML_LIMIT, detail="namespace declarations")
