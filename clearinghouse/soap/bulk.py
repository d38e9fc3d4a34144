"""The bulk lane: requests of any length, record by record, in flat memory.

The message lies in a spool. A pull parser yields first what stands before the
records, so that the sender is known before a record is touched, then each record,
validated by itself: one bad record is a result, and the others go on. What the
schema would say about the parent is checked by hand, because the parent is never
complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from clearinghouse import codes
from clearinghouse.contract.catalogue import Contract
from clearinghouse.contract.model import ComplexType, Element, local
from clearinghouse.soap.binding import Bindings, Record
from clearinghouse.soap.envelope import (
    Envelope,
    check_text,
    open_envelope,
)
from clearinghouse.soap.explain import OTHER, TEXT, TOO_MANY, UNEXPECTED, Explainer
from clearinghouse.soap.faults import FaultItem, SoapFault
from clearinghouse.soap.feed import PLAIN, Feed
from clearinghouse.soap.security import exchange_header
from clearinghouse.soap.shapes import Shape, shape_of
from clearinghouse.soap.validation import element_validator
from clearinghouse.soap.versions import Version

# All refused records of a message together: a parser keeps their names to its end.
REFUSED_BYTES_MAX = 8_388_608
# So much of each does not count: declarations, and too few names to fill anything.
SHORT_RECORD_BYTES = 256
# Records of one batch that may be against the schema. A sender whose every record is
# has a fault in its program, and each costs us a hundred times what a good one does.
UNREADABLE_MAX = 1_000
# Faults of records that are looked for: an answer tells as many.
EXPLAINED_MAX = 1_000
# Shapes of one message. A program has few: with a contract or without, and so on.
SHAPES_MAX = 8
# After so many records that fitted no shape, the next shape is made: it costs as much.
SHAPE_AFTER = 64
# So many records for each shape must fit while SHAPE_AFTER do not: to try a shape in
# vain costs an eighth of what one that fits saves.
SHAPE_FITS_MIN = SHAPE_AFTER // 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFault:
    """A record that the schema refuses.

    ``index`` is its place in the message from zero; ``key`` the text of its first
    element, where that is valid, so that the answer can name the record.
    """

    index: int
    items: tuple[FaultItem, ...]
    key: str | None


class BulkFormat:
    """What a request must look like to be streamed: its records come last."""

    def __init__(self, contract: Contract, bindings: Bindings, request: str) -> None:
        """Look up the request's type.

        Raises :class:`ValueError` when its last part is not a list of a global
        element, or another part is one too.
        """
        model = contract.model
        kind = model.type_of(model.elements[request])
        last = kind.content[-1] if isinstance(kind, ComplexType) else None
        if not isinstance(last, Element) or not last.repeated:
            raise ValueError(f"{request}: its last part is no list")
        record = model.type_of(last)
        if last.name not in model.elements or not isinstance(record, ComplexType):
            raise ValueError(f"{last.name}: its records cannot be checked alone")
        self.request = request
        self.record = last
        self._key_element = next(record.elements())
        self._key_type = model.type_of(self._key_element)
        self._bindings = bindings
        self._explainer = contract.once(Explainer)
        self._validator = element_validator(contract, request)

    def read(self, element: etree._Element) -> Record | None:
        """Return the record, ``None`` when it is none."""
        if self._validator.accepts(element):
            try:
                return self._bindings.read(element)
            except (ValueError, ArithmeticError):
                pass
        return None

    def shape(self, text: str, element: etree._Element) -> Shape | None:
        """Return the shape of a record that was read, if it has a plain one."""
        return shape_of(text, element, self.record, self._bindings)

    def fault(
        self, element: etree._Element, index: int, *, explained: bool
    ) -> RecordFault:
        """Return why an element is no record; at length, or only that it is none."""
        if explained:
            items = tuple(self._explainer.element(element, index))
        else:
            path = f"/{self.record.local_name}"
            items = (FaultItem(text=OTHER, path=path, index=index),)
        return RecordFault(index=index, items=items, key=self._key(element))

    def read_head(self, envelope: Envelope) -> tuple[Record, Record]:
        """Return the exchange header and the request without its records.

        What stands in front of the records leaves the tree. Raises
        :class:`SoapFault` HEADER or SCHEMA.
        """
        header = exchange_header(envelope)
        head = self._cut(envelope.body)
        faults = []
        records = []
        for element in (header, head):
            record = self.read(element)
            if record is None:
                faults += self._explainer.element(element)
            else:
                records.append(record)
        if faults:
            raise SoapFault(codes.SCHEMA, items=faults)
        return records[0], records[1]

    def _cut(self, request: etree._Element) -> etree._Element:
        """Move what precedes the records to an element of its own."""
        head = etree.Element(request.tag, request.attrib)
        head.text, request.text = request.text, None
        for child in list(request):
            if child.tag == self.record.name:
                break
            head.append(child)
        return head

    def _key(self, element: etree._Element) -> str | None:
        first = element[0] if len(element) else None
        if first is None or first.tag != self._key_element.name or len(first):
            return None
        text = first.text or ""
        if isinstance(self._key_type, ComplexType):
            return None
        return text if self._explainer.accepts(self._key_type, text) else None


class BulkStream:
    """A request in the bulk lane: its head has been read, its records follow.

    ``header`` is the exchange header, ``head`` the request with an empty list of
    records.
    """

    def __init__(self, feed: Feed, known: BulkFormat, version: Version) -> None:
        """Read on to the first record.

        Raises :class:`SoapFault` for whatever is wrong so far.
        """
        if feed.root is None:
            raise SoapFault(codes.SOAP, detail="no envelope")
        self._feed = feed
        self._known = known
        self._version = version
        self._root = feed.root
        envelope = open_envelope(self._root, version)
        self._request = envelope.body
        self._events = feed.events()
        for event, element in self._events:
            if element is self._request and event == "end":
                break
            if self._is_record(element):
                break
        feed.request = self._request
        self.header, self.head = known.read_head(envelope)
        self._last: etree._Element | None = None
        self._refused_bytes = 0
        self._unreadable = 0
        self._told: list[FaultItem] = []
        self._shapes_max = SHAPES_MAX
        # Good records that fitted a shape, or none, since shapes were looked at.
        self._fits = 0
        self._misfits = 0

    def _is_record(self, element: etree._Element | Record) -> bool:
        return (
            isinstance(element, etree._Element)  # noqa: SLF001
            and element.tag == self._known.record.name
            and element.getparent() is self._request
        )

    def records(self) -> Iterator[Record | RecordFault]:
        """Yield each record, or why it is none, in the order of the message.

        Can be run through once. Raises :class:`SoapFault` when the rest of the
        message turns out to be malformed or against the schema, or too many records
        are: nothing of such a message may be kept.
        """
        for index, found in enumerate(self._found()):
            self._feed.since_record = 0
            if index >= self._known.record.max_occurs:
                expected = f"at most {self._known.record.max_occurs}"
                raise self._fault(TOO_MANY, expected, self._known.record.local_name)
            if isinstance(found, Record):
                self._fits += 1
                yield found
                continue
            self._follow(found)
            record = self._known.read(found)
            if record is None:
                yield self._refused(found, index)
            else:
                self._note_misfit(found)
                yield record
        self._finish()

    def _found(self) -> Iterator[Record | etree._Element]:
        """Give each record: read already where it fitted a shape."""
        for event, found in self._events:
            if event == PLAIN or (event == "end" and self._is_record(found)):
                yield found

    def _note_misfit(self, element: etree._Element) -> None:
        """Count a good record that fitted no shape, and now and then look at shapes.

        One is made of this record, for those like it. Once there are many, one is given
        up when all of them together do not pay.
        """
        self._misfits += 1
        if self._misfits < SHAPE_AFTER or not self._feed.record_text:
            return
        shapes = self._feed.shapes
        if len(shapes) < self._shapes_max:
            shape = self._known.shape(self._feed.record_text, element)
            if shape is not None:
                shapes.insert(0, shape)
        elif self._fits < SHAPE_FITS_MIN * len(shapes):
            # The one that was of no use for longest. None takes its place: the next
            # records will be no more alike.
            shapes.pop()
            self._shapes_max -= 1
        self._fits = self._misfits = 0

    def _refused(self, element: etree._Element, index: int) -> RecordFault:
        """Say why the schema refuses a record; at length up to a bound."""
        name = self._known.record.local_name
        self._count_refused(element)
        self._unreadable += 1
        if self._unreadable > UNREADABLE_MAX:
            expected = f"at most {UNREADABLE_MAX} records that are against the schema"
            too_many = self._fault(OTHER, expected, name)
            raise SoapFault(codes.SCHEMA, items=(*too_many.items, *self._told))
        explained = len(self._told) < EXPLAINED_MAX
        fault = self._known.fault(element, index, explained=explained)
        if explained:
            self._told += fault.items
        return fault

    def _count_refused(self, element: etree._Element) -> None:
        length = len(etree.tostring(element, with_tail=False))
        self._refused_bytes += max(0, length - SHORT_RECORD_BYTES)
        if self._refused_bytes > REFUSED_BYTES_MAX:
            raise SoapFault(codes.XML_LIMIT, detail="too much in refused records")

    def _follow(self, element: etree._Element) -> None:
        """Check what stands before the record, and drop the one before it."""
        before = element.getprevious()
        if before is not self._last:
            raise self._fault(UNEXPECTED, f"one of {self._known.record.local_name}")
        if before is not None:
            self._check_text(before.tail)
            self._request.remove(before)
        self._last = element

    def _finish(self) -> None:
        """Check what stands behind the last record."""
        envelope = open_envelope(self._root, self._version)
        check_text(self._root)
        rest = list(self._request)
        if envelope.body is not self._request or len(rest) > 1:
            raise self._fault(UNEXPECTED, "no further element")
        if rest:
            if rest[0] is not self._last:
                raise self._fault(UNEXPECTED, "no further element")
            self._check_text(rest[0].tail)

    def _check_text(self, text: str | None) -> None:
        if text and not text.isspace():
            raise self._fault(TEXT, "elements only")

    def _fault(self, text: str, expected: str, name: str = "") -> SoapFault:
        path = f"/{local(self._known.request)}{'/' if name else ''}{name}"
        item = FaultItem(text=text, path=path, expected=expected)
        return SoapFault(codes.SCHEMA, items=[item])
