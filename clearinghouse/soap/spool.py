"""The spool: a long message on its way in, in bounded memory.

The body is checked byte by byte as it comes and goes to a temporary file once it is
longer than a megabyte. Its digest is ready when the last byte is, before a parser
has seen the first.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from clearinghouse import codes
from clearinghouse.soap.envelope import body_offset
from clearinghouse.soap.faults import SoapFault
from clearinghouse.soap.http import CHUNK_BYTES
from clearinghouse.soap.limits import check_encoding

# What a message may hold in memory; the rest lies in an unnamed temporary file.
MEMORY_BYTES_MAX = 1_048_576
# Attributes and namespace declarations in one piece: one element of ours in 256 bytes
# may declare one; a flood has thousands.
EQUALS_PER_CHUNK_MAX = 4_096
# The longest token of the byte filter, kept to see one that lies across two pieces.
_OVERLAP = 16
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)


def even(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Regroup into pieces of one size, so that a digest depends on no network."""
    waiting: list[bytes] = []
    length = 0
    for chunk in chunks:
        waiting.append(chunk)
        length += len(chunk)
        if length >= CHUNK_BYTES:
            joined = b"".join(waiting)
            whole = length - length % CHUNK_BYTES
            for start in range(0, whole, CHUNK_BYTES):
                yield joined[start : start + CHUNK_BYTES]
            waiting, length = [joined[whole:]], length - whole
    if length:
        yield b"".join(waiting)


class ByteFilter:
    """The byte filter for pieces: what :func:`limits.check_bytes` does for a whole."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self._tail = b""
        self._first = True

    def check(self, chunk: bytes) -> None:
        """Check the next piece.

        Raises :class:`SoapFault` of the ``CH.XML`` family.
        """
        if self._first:
            check_encoding(chunk)
            self._first = False
        if b"\x00" in chunk:
            raise SoapFault(codes.XML_MALFORMED, detail="NUL")
        if chunk.count(b"=") > EQUALS_PER_CHUNK_MAX:
            raise SoapFault(codes.XML_LIMIT, detail="too many attributes")
        joined = self._tail + chunk
        if b"<!" in joined and _DOCTYPE.search(joined):
            raise SoapFault(codes.XML_DTD)
        self._tail = joined[-_OVERLAP:]
        self._decode(chunk, final=False)

    def finish(self) -> None:
        """Check that nothing is left open at the end.

        Raises :class:`SoapFault` XML_MALFORMED or XML_EMPTY.
        """
        if self._first:
            raise SoapFault(codes.XML_EMPTY)
        self._decode(b"", final=True)

    def _decode(self, chunk: bytes, *, final: bool) -> None:
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            raise SoapFault(codes.XML_MALFORMED, detail="not UTF-8") from error


class Spool:
    """One message, received whole and not yet parsed. Close it when done."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=MEMORY_BYTES_MAX)  # noqa: SIM115  # closed by the caller
        self._hash = hashlib.sha256()
        self.length = 0

    @classmethod
    def receive(cls, chunks: Iterable[bytes]) -> Self:
        """Take in a body.

        Raises :class:`SoapFault` for what the byte filter refuses, and what the
        chunks themselves raise.
        """
        spool = cls()
        try:
            spool._fill(chunks)
        except BaseException:
            spool.close()
            raise
        return spool

    def _fill(self, chunks: Iterable[bytes]) -> None:
        byte_filter = ByteFilter()
        for chunk in even(chunks):
            byte_filter.check(chunk)
            self._hash.update(chunk if self.length else chunk[body_offset(chunk) :])
            self._file.write(chunk)
            self.length += len(chunk)
        byte_filter.finish()
        self._file.seek(0)

    def digest(self) -> bytes:
        """Return the SHA-256 of the Body as received.

        As in :func:`envelope.body_offset`: from the Body's start tag on, when that
        lies in the first piece, else of the whole message.
        """
        return self._hash.digest()

    def pieces(self) -> Iterator[bytes]:
        """Yield the message again, piece by piece."""
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk

    def read_all(self) -> bytes:
        """Return the whole message."""
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Free the memory or the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
