"""The feed: a message on its way from the spool, through the parser or past it.

The parser gets the message up to the end of one record at a time. So it is known where
a record stands alone, between the one before it and the next; and one there that fits
a known shape is read off without the parser ever seeing it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from clearinghouse import codes
from clearinghouse.contract.model import local
from clearinghouse.soap.binding import Record
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.http import CHUNK_BYTES
from clearinghouse.soap.parser import pull_parser
from clearinghouse.soap.shapes import Shape
from clearinghouse.soap.spool import Spool

# Everything before the first record: header, batch sequence, control totals.
HEAD_BYTES_MAX = 131_072
# The largest record of the schema, 20 charging sessions of 100 transactions each, takes
# 1.4 MB without white space; stops a record that never ends.
RECORD_BYTES_MAX = 2_097_152
# How far is looked for the end of a record before the parser gets what there is.
STRETCH_BYTES_MAX = 2 * CHUNK_BYTES
# Stands for a record without its element: what it was read into.
PLAIN = "plain"
# What may begin a comment, a CDATA section or a processing instruction.
_HIDING = re.compile(rb"[!?]")

Event = tuple[str, etree._Element | Record]  # noqa: SLF001  # lxml's only name for it


class Feed:
    """A message on its way; ``shapes`` are tried on its records, the last used first.

    ``requests`` are the requests that are streamed, with their records, by Clark name.
    """

    def __init__(self, spool: Spool, requests: Mapping[str, str]) -> None:
        tags = ["{*}Envelope", *requests, *requests.values()]
        names = "|".join({re.escape(local(record)) for record in requests.values()})
        self._end_tag = re.compile(
            rb"</(?:[\w.-]+:)?(?:%s)[ \t\r\n]*>" % names.encode()
        )
        self._pieces = spool.pieces()
        self._parser = pull_parser(tags)
        # What was read and not yet taken from: the same, as bytes and as text.
        self._data = b""
        self._text = ""
        self._at = 0
        # What the parser got last; whether it stands behind a record of the request.
        self._stretch = b""
        self._is_between = False
        self.root: etree._Element | None = None
        self.request: etree._Element | None = None
        self.shapes: list[Shape] = []
        self.parsed_bytes = 0
        self.since_record = 0
        # The text of the record that the parser took last; empty when not all is known.
        self.record_text = ""

    def body_tag(self) -> str:
        """Parse as far as the element in the Body and return its name.

        Empty when there is none within the bound of the head. Raises
        :class:`SoapFault` XML_MALFORMED.
        """
        while not self._body_tag() and self.parsed_bytes < HEAD_BYTES_MAX:
            if not self._step():
                break
            if self.root is None:
                _, found = next(self._parser.read_events(), ("", None))
                # An envelope inside of something else is none.
                if found is None or found.getparent() is None:
                    self.root = found
        return self._body_tag()

    def _body_tag(self) -> str:
        if self.root is None or not len(self.root):
            return ""
        body = self.root[-1]
        is_body = local(str(body.tag)) == "Body" and len(body)
        return str(body[0].tag) if is_body else ""

    def events(self) -> Iterator[Event]:
        """Yield starts and ends of the request and its records to the very end.

        A record that fits a shape has no start; its end is ``PLAIN``. Raises
        :class:`SoapFault` XML_MALFORMED or XML_LIMIT.
        """
        yield from self._parser.read_events()
        while True:
            while (record := self._plain()) is not None:
                yield PLAIN, record
            was_between = self._is_between
            if not self._step():
                break
            events = list(self._parser.read_events())
            self._is_between = self._is_behind_record(events)
            is_whole = was_between and self._is_between
            self.record_text = self._stretch.decode("latin-1") if is_whole else ""
            yield from events
        try:
            self._parser.close()
        except etree.XMLSyntaxError as error:
            raise SoapFault(codes.XML_MALFORMED, detail="not well-formed") from error
        yield from self._parser.read_events()

    def _is_behind_record(self, events: list[Event]) -> bool:
        """Say whether the parser stands right behind a record of the request.

        So it is when a step brought the start and the end of one record and nothing
        else, and ended with an end tag that no comment or the like can hide. The tag is
        the record's own only where nothing has begun behind it: a record may be empty
        and have no end tag, and an element of another namespace may have its name.
        """
        if [event for event, _ in events] != ["start", "end"]:
            return False
        element = events[-1][1]
        return (
            isinstance(element, etree._Element)  # noqa: SLF001
            and element is events[0][1]
            and element.getparent() is self.request
            and element.getnext() is None
            and self._end_tag.search(self._stretch) is not None
            and _HIDING.search(self._stretch) is None
        )

    def _plain(self) -> Record | None:
        """Return the next record if it fits a shape."""
        if not self._is_between or not self.shapes:
            return None
        record = self._fit()
        if record is None and self._end_tag.search(self._data, self._at) is None:
            # Perhaps the rest of it has not been read yet.
            self._next_end()
            record = self._fit()
        return record

    def _fit(self) -> Record | None:
        for place, shape in enumerate(self.shapes):
            found = shape.read(self._text, self._at)
            if found is not None:
                if place:
                    self.shapes.insert(0, self.shapes.pop(place))
                record, self._at = found
                return record
        return None

    def _step(self) -> bool:
        """Hand on the message to the end of the next record; false at its end."""
        end = self._next_end()
        self._stretch = self._data[self._at : end]
        if not self._stretch:
            return False
        self._at = end
        self.parsed_bytes += len(self._stretch)
        self.since_record += len(self._stretch)
        if self.since_record > RECORD_BYTES_MAX:
            raise SoapFault(codes.XML_LIMIT, detail="no record for too long")
        try:
            self._parser.feed(self._stretch)
        except etree.XMLSyntaxError as error:
            raise SoapFault(codes.XML_MALFORMED, detail="not well-formed") from error
        return True

    def _next_end(self) -> int:
        """Return where the next record ends, or how far the message was read."""
        while (found := self._end_tag.search(self._data, self._at)) is None:
            is_far = len(self._data) - self._at >= STRETCH_BYTES_MAX
            if is_far or not self._read_on():
                return len(self._data)
        return found.end()

    def _read_on(self) -> bool:
        """Take in the next piece; false when there is none."""
        piece = next(self._pieces, b"")
        if piece:
            self._data = self._data[self._at :] + piece
            # A character for each byte, so that places are the same in both.
            self._text = self._data.decode("latin-1")
            self._at = 0
        return bool(piece)
