"""An enveloped XML signature over a document that is written in canonical form.

The document is hashed while it is written: no line is read twice, and memory stays flat
over a million of them. What is written must be its own exclusive canonical form: no
empty-element tags, no attribute but the root's namespace, texts escaped as
:func:`clearinghouse.reports.text.escape` does. Sources: XML Signature 1.1, Exclusive
XML Canonicalization 1.0, RFC 4051 (ECDSA).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_DSIG11 = "http://www.w3.org/2009/xmldsig11#"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_P256 = "urn:oid:1.2.840.10045.3.1.7"


class Signed(NamedTuple):
    """A signature of two numbers of 32 bytes, and the key that it was made with.

    ``point``: the public key, as an uncompressed point of P-256.
    """

    key_id: str
    point: bytes
    value: bytes


#: Signs some bytes.
Sign = Callable[[bytes], Signed]


class Envelope:
    """Hashes a document on its way out, and writes the signature that goes into it."""

    def __init__(self, sign: Sign) -> None:
        self._sign = sign
        self._hash = sha256()

    def add(self, data: bytes) -> None:
        """Take the next bytes of the canonical form: all but the signature."""
        self._hash.update(data)

    def signature(self) -> bytes:
        """Return the signature over all that was added."""
        info = _signed_info(b64encode(self._hash.digest()).decode())
        signed = self._sign(info.encode())
        # In the document the namespace stands at the element around it.
        inside = info.replace(f' xmlns:ds="{_DSIG}"', "", 1)
        return (
            f'<ds:Signature xmlns:ds="{_DSIG}">{inside}'
            f"<ds:SignatureValue>{b64encode(signed.value).decode()}"
            "</ds:SignatureValue><ds:KeyInfo>"
            f"<ds:KeyName>{signed.key_id}</ds:KeyName><ds:KeyValue>"
            f'<dsig11:ECKeyValue xmlns:dsig11="{_DSIG11}">'
            f'<dsig11:NamedCurve URI="{_P256}"></dsig11:NamedCurve>'
            f"<dsig11:PublicKey>{b64encode(signed.point).decode()}</dsig11:PublicKey>"
            "</dsig11:ECKeyValue></ds:KeyValue></ds:KeyInfo></ds:Signature>"
        ).encode()


def _signed_info(digest: str) -> str:
    """Return what is signed, in its canonical form."""
    return (
        f'<ds:SignedInfo xmlns:ds="{_DSIG}">'
        f'<ds:CanonicalizationMethod Algorithm="{_EXCLUSIVE}">'
        "</ds:CanonicalizationMethod>"
        "<ds:SignatureMethod"
        ' Algorithm="http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256">'
        '</ds:SignatureMethod><ds:Reference URI=""><ds:Transforms>'
        f'<ds:Transform Algorithm="{_DSIG}enveloped-signature"></ds:Transform>'
        f'<ds:Transform Algorithm="{_EXCLUSIVE}"></ds:Transform></ds:Transforms>'
        '<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256">'
        f"</ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue>"
        "</ds:Reference></ds:SignedInfo>"
    )
