"""One received message on its way: checks, the answer kept for a repeat."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass
from hmac import compare_digest
from threading import Lock
from typing import Protocol
from uuid import UUID

from lxml import etree

from clearinghouse import codes
from clearinghouse.contract.loader import AuthoredFiles
from clearinghouse.endpoint.codec import namespace_of, read_element
from clearinghouse.endpoint.envelope import PATH_CHARACTERS_MAX, Envelope
from clearinghouse.endpoint.messages.common import ExchangeHeader
from clearinghouse.endpoint.refusal import RefusalError

# Answers kept for repeats; the clearing house repeats within minutes, and what must
# be known for longer is in the behaviour's own store. Stops growth of the memory.
ANSWERS_MAX = 2_000

HEADER = f"{{{namespace_of(ExchangeHeader)}}}exchangeHeader"
_Key = tuple[str, UUID]
_PREFIX = re.compile(r"[^/:\[\]]+:")


class Answerer(Protocol):
    """Makes the answer of one message."""

    def __call__(self) -> tuple[etree._Element, bool]:
        """Return the child of the answer's Body, and whether it is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may call: the token we gave in PutEndpoints, and the house's party id."""

    token: str | None = None
    sender_id: str | None = None

    def check(self, header: ExchangeHeader) -> None:
        """Raise :class:`RefusalError` for a message of anybody else."""
        if self.token is not None:
            given = (header.session_token or "").encode("utf-8")
            if not compare_digest(given, self.token.encode("utf-8")):
                raise RefusalError(codes.TOKEN)
        if self.sender_id is not None and header.sender_id != self.sender_id:
            raise RefusalError(codes.NOT_AUTHORISED)


class Schema:
    """The authored schema of one service, compiled once."""

    def __init__(self, files: AuthoredFiles, service: str) -> None:
        self._schema = files.compile(service)
        # The error log belongs to the schema object, not to the call.
        self._lock = Lock()

    def check(self, element: etree._Element) -> None:
        """Raise :class:`RefusalError` when an element does not follow the schema."""
        with self._lock:
            if self._schema.validate(element):
                return
            path = self._schema.error_log[0].path or ""
        raise RefusalError(codes.SCHEMA, _PREFIX.sub("", path)[:PATH_CHARACTERS_MAX])


def read_header(envelope: Envelope, schema: Schema) -> ExchangeHeader:
    """Return the one exchange header of a message; raises :class:`RefusalError`."""
    found = [block for block in envelope.headers if block.tag == HEADER]
    if len(found) != 1:
        raise RefusalError(codes.HEADER)
    schema.check(found[0])
    return read_element(ExchangeHeader, found[0])


class RecentAnswers:
    """The answers to the latest messages: a repeat gets the same one again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[_Key, tuple[bytes, etree._Element]] = OrderedDict()

    def answer(
        self, header: ExchangeHeader, body: etree._Element, make: Answerer
    ) -> etree._Element:
        """Return the kept answer of an exact repeat, or make one and keep it if final.

        Raises :class:`RefusalError` for the same id with another body.
        """
        key = (header.sender_id, header.message_id)
        digest = hashlib.sha256(etree.tostring(body, method="c14n")).digest()
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            made, final = make()
            if final:
                self._keep(key, digest, made)
            return made
        if kept[0] != digest:
            raise RefusalError(codes.DUPLICATE_CONFLICT)
        return deepcopy(kept[1])

    def _keep(self, key: _Key, digest: bytes, made: etree._Element) -> None:
        with self._lock:
            self._kept[key] = (digest, deepcopy(made))
            while len(self._kept) > ANSWERS_MAX:
                self._kept.popitem(last=False)
