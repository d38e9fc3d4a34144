"""Signed statements as two foreign programs see them, true and forged."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

import pytest
import xmlsec
from lxml import etree
from signxml.exceptions import InvalidSignature
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from clearinghouse.domain.statements import StatementFormat
from clearinghouse.services import statements
from clearinghouse.storage import signing
from clearinghouse.storage import statements as store
from tests.services.sdr_world import World, make_world

if TYPE_CHECKING:
    from pathlib import Path

    from clearinghouse.services.environment import Environment

_DS = "{http://www.w3.org/2000/09/xmldsig#}"


@pytest.fixture
def world(env: Environment) -> World:
    return make_world(env)


@pytest.fixture
def document(world: World, tmp_path: Path) -> bytes:
    """Give the issued statement of the CSO."""
    world.submit([world.session() for _ in range(3)])
    window_id = world.close().window.window_id
    paths = statements.export_statements(world.env, window_id, tmp_path)
    return next(p for p in paths if world.cso.party_id in p.name).read_bytes()


def _by_xmlsec(content: bytes, pem: str) -> bool:
    root = etree.fromstring(content)
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(pem, xmlsec.constants.KeyDataFormatPem)
    signature = root.find(f"{_DS}Signature")
    assert signature is not None
    try:
        context.verify(signature)
    except xmlsec.Error:
        return False
    return True


def _by_signxml(content: bytes) -> bytes | None:
    """Return the text that the signature covers, ``None`` for a false one."""
    config = SignatureConfiguration(require_x509=False)
    try:
        found = XMLVerifier().verify(content, require_x509=False, expect_config=config)
    except InvalidSignature:
        return None
    assert isinstance(found, VerifyResult)
    return bytes(found.signed_data)


def _pem(world: World) -> str:
    with world.env.database.begin_read_only() as tx:
        return signing.known_keys(tx)[-1].pem


def test_two_foreign_programs_find_the_signature_true(
    world: World, document: bytes
) -> None:
    covered = _by_signxml(document)

    assert _by_xmlsec(document, _pem(world))
    assert covered is not None
    assert covered.count(b"<line>") == 3
    assert b"Signature" not in covered


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<net>11.49</net>", b"<net>11.48</net>"),
        (b"</digest>\n", b"</digest> \n"),
        (b"<windowId>1<", b"<windowId>2<"),
    ],
)
def test_they_find_a_forgery(
    world: World, document: bytes, old: bytes, new: bytes
) -> None:
    assert old in document
    forged = document.replace(old, new, 1)

    assert not _by_xmlsec(forged, _pem(world))
    assert _by_signxml(forged) is None


def test_document_names_the_key_of_the_house(world: World, document: bytes) -> None:
    key = world.env.signer.key()
    root = etree.fromstring(document)

    assert root.findtext(f".//{_DS}KeyName") == key.key_id
    (point,) = re.findall(rb"PublicKey>([^<]+)<", document)
    assert b64decode(point) == signing.point_of(key.public_key)


def test_statement_proves_itself_after_the_key_was_replaced(
    world: World, document: bytes
) -> None:
    (number,) = re.findall(rb"<statementId>([^<]+)<", document)
    world.env.signer.__init__()  # type: ignore[misc]  # as if the file were another

    assert statements.verify(world.env, number.decode()) == ()
    with world.env.database.begin_read_only() as tx:
        issued = store.rendering_of(tx, number.decode(), StatementFormat.XML)
    assert issued is not None
    assert issued.bytes == len(document)
