"""What is said about an invalid message: complete, located, and in our own words."""

from __future__ import annotations

import random
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from clearinghouse.contract.catalogue import Contract
from clearinghouse.soap.envelope import open_envelope
from clearinghouse.soap.explain import OTHER, Explainer
from clearinghouse.soap.faults import FaultItem
from clearinghouse.soap.parser import parse_own
from clearinghouse.soap.validation import Validator, envelope_validators
from clearinghouse.soap.values import read_instant, write_instant
from clearinghouse.soap.versions import SOAP_11
from tests.contract import authored
from tests.contract.authored import Example
from tests.soap.house import authorize, message


@pytest.fixture(scope="session")
def explainer(contract: Contract) -> Explainer:
    return Explainer(contract)


def explained(explainer: Explainer, data: bytes) -> list[FaultItem]:
    return explainer.envelope(open_envelope(parse_own(data), SOAP_11))


def test_names_all_faults_at_once(explainer: Explainer) -> None:
    data = (
        authorize(senderId="TOO-LONG", createdAt="yesterday", kind="CARD")
        .replace(b"<a:evseId>FR*A23*E45B*78C</a:evseId>", b"")
        .replace(b"</a:credential>", b"</a:credential><a:colour>red</a:colour>")
    )

    found = {item.path: item.expected for item in explained(explainer, data)}

    assert found == {
        "/Header/exchangeHeader/senderId": (
            "text, 5 characters, of the form [A-Z]{2}[A-Z0-9]{3}"
        ),
        "/Header/exchangeHeader/createdAt": (
            "a time with its offset, as in 2026-01-31T12:00:00Z,"
            " in UTC in the years 2000 to 2099"
        ),
        "/authorizeStartRequest/evseId": "required element",
        "/authorizeStartRequest/credential/kind": (
            "one of RFID, STATIC_QR, DYNAMIC_QR, USERNAME, PNC_CERTIFICATE"
        ),
        "/authorizeStartRequest": "one of partnerSessionId, requestedService",
    }


CASES = {
    "length": (
        {"value": "4" * 300},
        "/authorizeStartRequest/credential/value",
        "300 characters",
    ),
    "empty": ({"value": ""}, "/authorizeStartRequest/credential/value", "0 characters"),
    "pattern": ({"value": "a b"}, "/authorizeStartRequest/credential/value", ""),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_describes_length_and_repeats_no_value(
    explainer: Explainer, case: tuple[dict[str, str], str, str]
) -> None:
    texts, path, found = case

    (item,) = explained(explainer, authorize(**texts))

    assert (item.path, item.found) == (path, found)


@pytest.mark.parametrize(
    "instant",
    [
        "2099-12-31T23:59:59-14:00",
        "2000-01-01T00:00:00+14:00",
        "2099-12-31T23:59:59.999999-00:01",
    ],
)
def test_names_a_moment_that_leaves_the_years_by_its_offset(
    explainer: Explainer, instant: str
) -> None:
    (item,) = explained(explainer, authorize(createdAt=instant))

    assert item.path == "/Header/exchangeHeader/createdAt"
    assert item.expected is not None
    assert item.expected.endswith("in UTC in the years 2000 to 2099")


@pytest.mark.parametrize(
    "instant",
    [
        "2099-12-31T23:59:59.999999Z",
        "2099-12-31T23:59:59+14:00",
        "2000-01-01T00:00:00Z",
        "2000-01-01T00:00:00-14:00",
    ],
)
def test_takes_the_first_and_the_last_moment(instant: str) -> None:
    assert write_instant(read_instant(instant)) == instant


def test_names_namespace_of_misplaced_element(explainer: Explainer) -> None:
    """The commonest mistake of hand-made clients."""
    data = (
        authorize()
        .replace(b"<a:evseId>", b"<c:evseId>")
        .replace(b"</a:evseId>", b"</c:evseId>")
    )

    items = explained(explainer, data)

    assert (
        "/authorizeStartRequest/evseId",
        f"namespace {authored.namespace('authorization')}",
    ) in [(item.path, item.expected) for item in items]


def test_says_place_in_list(explainer: Explainer) -> None:
    data = message("credential", "PutCredentials").replace(
        b"<credential:status>VALID<", b"<credential:status>GOOD<", 1
    )

    (item,) = explained(explainer, data)

    assert item.index is not None
    assert item.path.startswith(f"/putCredentialsRequest/entry[{item.index + 1}]/")
    assert item.expected == "one of VALID, BLOCKED"


def test_says_how_many_are_allowed(explainer: Explainer) -> None:
    data = message("evse", "PutEvses")
    first = data.index(b"<evse:evse>")
    last = data.rindex(b"</evse:evse>") + len(b"</evse:evse>")
    one = data[first : data.index(b"</evse:evse>") + len(b"</evse:evse>")]

    (item,) = explained(explainer, data[:first] + one * 1_003 + data[last:])

    assert (item.expected, item.found) == ("at most 1000", "1003")


def test_says_what_a_choice_offers(explainer: Explainer) -> None:
    data = message("session", "StartSession")
    tree = parse_own(data)
    for name in ("credential", "contractId"):
        for element in tree.iter(f"{{*}}{name}"):
            parent = element.getparent()
            assert parent is not None
            parent.remove(element)

    (item,) = explained(explainer, etree.tostring(tree))

    assert item.expected == "one of credential, contractId"


@pytest.mark.parametrize("example", authored.examples("invalid"), ids=str)
def test_explains_every_invalid_example(explainer: Explainer, example: Example) -> None:
    items = explained(explainer, example.path.read_bytes())

    assert items
    assert all(item.text != OTHER for item in items)
    assert all(item.expected for item in items)


def _mutated(root: etree._Element, seed: int) -> etree._Element:
    """Return the message with one to three small accidents."""
    chance = random.Random(seed)  # noqa: S311  # accidents, not secrets
    root = deepcopy(root)
    for _ in range(chance.randint(1, 3)):
        inner = [
            element
            for element in root.iter()
            if element.getparent() is not None
            and etree.QName(element).localname
            not in {"Header", "Body", "exchangeHeader"}
            and element.getparent().tag != f"{{{SOAP_11.namespace}}}Body"  # type: ignore[union-attr]
        ]
        element = chance.choice(inner)
        parent = element.getparent()
        assert parent is not None
        accident = chance.randrange(7)
        if accident == 0:
            parent.remove(element)
        elif accident == 1:
            parent.insert(chance.randrange(len(parent) + 1), deepcopy(element))
        elif accident == 2:
            element.text = chance.choice(
                ["", " ", "x y", "-1", "Z" * 300, "\u00e9", "1.5"]
            )
        elif accident == 3:
            element.tag = f"{{urn:x}}{etree.QName(element).localname}"
        elif accident == 4:
            element.set(
                chance.choice(
                    ["a", "{urn:x}a", "{http://www.w3.org/2001/XMLSchema-instance}nil"]
                ),
                "true",
            )
        elif accident == 5:
            parent.append(element)
        else:
            element.tail = chance.choice(["x", " ", None])
    return root


@settings(max_examples=400)
@given(seed=st.integers(0, 10**9), data=st.data())
def test_finds_something_exactly_when_schema_does(
    contract: Contract, explainer: Explainer, seed: int, data: st.DataObject
) -> None:
    """The walk and libxml2 agree on what is valid, whatever happened to a message."""
    example = data.draw(st.sampled_from(authored.examples("valid")))
    root = _mutated(parse_own(example.path.read_bytes()), seed)
    envelope = open_envelope(root, SOAP_11)

    accepted = envelope_validators_of(contract).accepts(root)

    items = explainer.envelope(envelope)
    said = [item for item in items if item.text != OTHER]
    assert bool(said) is not accepted


def envelope_validators_of(contract: Contract) -> Validator:
    if not _VALIDATORS:
        _VALIDATORS.append(envelope_validators(contract)[SOAP_11])
    return _VALIDATORS[0]


_VALIDATORS: list[Validator] = []
