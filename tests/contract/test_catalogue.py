"""The catalogue: what is published, and what stops the start."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lxml import etree

from clearinghouse.contract.catalogue import PARTNER_SERVICES, Contract
from clearinghouse.contract.errors import ContractError
from clearinghouse.contract.loader import AuthoredFiles
from tests.contract import authored

OPERATIONS = {
    "access": "Login RenewToken Logout Heartbeat",
    "directory": "GetParticipants PutEndpoints",
    "credential": "PutCredentials UpdateCredentials GetCredentials",
    "authorization": "AuthorizeStart AuthorizeStop",
    "session": "StartSession StopSession ReportSession GetSession",
    "evse": "PutEvses UpdateEvses GetEvses PutStatus GetStatus",
    "tariff": "PutTariffs GetTariffs",
    "sdr": "SubmitSdrs GetSdrs ConfirmSdrs GetSdrStatus GetDigest DisputeSdr"
    " AnswerDispute GetDisputes",
    "settlement": "GetPositions ListStatements GetStatement GetProof"
    " GetSigningKeys ListInvoices GetInvoice",
    "csp-endpoint": "Authorize NotifySession DeliverSdrs NotifySettlement",
    "cso-endpoint": "StartSession StopSession NotifySdrs",
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the authored files, to be broken."""
    for folder in ("wsdl", "xsd"):
        shutil.copytree(authored.ROOT / folder, tmp_path / folder)
    return tmp_path


def _change(root: Path, path: str, old: str, new: str) -> None:
    content = (root / path).read_text(encoding="utf-8")
    assert old in content
    (root / path).write_text(content.replace(old, new, 1), encoding="utf-8")


@pytest.mark.clause("4.3-I3", "4.3-I4")
def test_offers_every_function_of_the_interface(contract: Contract) -> None:
    found = {
        name: " ".join(operation.name for operation in service.operations)
        for name, service in contract.services.items()
    }

    assert found == OPERATIONS
    assert {
        name
        for name, service in contract.services.items()
        if service.offered_by_partners
    } == PARTNER_SERVICES


def test_operation_is_found_by_the_name_of_its_request(contract: Contract) -> None:
    sdr = authored.namespace("sdr")
    operation = contract.operations[f"{{{sdr}}}submitSdrsRequest"]

    assert operation is contract.operation("sdr", "SubmitSdrs")
    assert operation.response == f"{{{sdr}}}submitSdrsResponse"
    assert operation.soap_action == f"{sdr}/SubmitSdrs"
    assert operation.port == "SdrSoap11Port"
    assert "one by one" in operation.documentation
    with pytest.raises(KeyError):
        contract.operation("sdr", "DropSdrs")


@pytest.mark.parametrize("service", authored.SERVICES)
def test_wsdl_is_published_byte_for_byte(contract: Contract, service: str) -> None:
    path = authored.ROOT / "wsdl" / f"{service}.wsdl"

    assert contract.wsdl_bytes(service) == path.read_bytes()


@pytest.mark.parametrize("service", authored.SERVICES)
def test_only_the_addresses_are_replaced(contract: Contract, service: str) -> None:
    content = contract.wsdl_bytes(service, "https://ch.test:8443/roaming/")
    address = f"https://ch.test:8443/roaming/services/{service}"
    root = etree.fromstring(content)
    found = authored.select(root, "wsdl:service/wsdl:port/*[@location]")
    host = {"csp-endpoint": "csp", "cso-endpoint": "cso"}.get(service, "clearinghouse")
    before = f"https://{host}.example/services/{service}"

    assert [node.get("location") for node in found] == [address, address]
    assert (
        content.replace(address.encode(), before.encode())
        == contract.services[service].wsdl
    )


def test_address_cannot_break_out_of_its_attribute(contract: Contract) -> None:
    url = "https://ch.test/?a=1&b=\"2'<x>\\1"
    root = etree.fromstring(contract.wsdl_bytes("access", url))
    (first, _) = authored.select(root, "wsdl:service/wsdl:port/*[@location]")

    assert first.get("location") == f"{url}/services/access"


@pytest.mark.parametrize(
    "url", ["", "ch.test", "file:///etc", "https://a b", "https://a\n"]
)
def test_refuses_address_that_is_none(contract: Contract, url: str) -> None:
    with pytest.raises(ValueError, match="absolute"):
        contract.wsdl_bytes("access", url)


def test_publishes_each_authored_file_and_nothing_else(contract: Contract) -> None:
    expected = {f"/wsdl/{name}.wsdl" for name in authored.SERVICES}
    expected |= {f"/xsd/{name}.xsd" for name in authored.SCHEMAS}

    assert contract.paths() == expected
    for path in expected:
        assert contract.published(path) == (authored.ROOT / path[1:]).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/xsd/../settings.py",
        "/xsd/..%2fsettings.py",
        "/xsd//common.xsd",
        "/xsd/common.xsd/",
        "/xsd/./common.xsd",
        "/xsd/common.xsd\0",
        "/xsd/COMMON.XSD",
        "xsd/common.xsd",
        "/wsdl/",
        "/",
        "",
    ],
)
def test_publishes_no_other_path(contract: Contract, path: str) -> None:
    assert contract.published(path) is None


def test_partner_services_keep_their_authored_address(contract: Contract) -> None:
    ours = contract.published("/wsdl/access.wsdl", "https://ch.test")
    theirs = contract.published("/wsdl/csp-endpoint.wsdl", "https://ch.test")

    assert ours == contract.wsdl_bytes("access", "https://ch.test")
    assert theirs == contract.wsdl_bytes("csp-endpoint")


def test_imports_of_a_published_wsdl_are_published_too(contract: Contract) -> None:
    for service in authored.SERVICES:
        root = authored.parse(authored.text("wsdl", service))
        for node in authored.select(root, "//xs:import"):
            path = node.get("schemaLocation", "").removeprefix("..")

            assert contract.published(path) == contract.files.content[path[1:]]


def test_schema_is_compiled_once_for_each_thread(contract: Contract) -> None:
    found: list[etree.XMLSchema] = []
    thread = threading.Thread(target=lambda: found.append(contract.schema("sdr")))
    thread.start()
    thread.join()

    assert contract.schema("sdr") is contract.schema("sdr")
    assert found[0] is not contract.schema("sdr")
    with pytest.raises(ContractError):
        contract.schema("../settings")


def test_unbroken_copy_loads(copy: Path) -> None:
    assert Contract.load(copy).operations.keys()


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        (
            "wsdl/access.wsdl",
            "access:logoutRequest",
            "access:goneRequest",
            "no element",
        ),
        ("wsdl/access.wsdl", ":1/Logout", ":1/Leave", "soapActions"),
        (
            "wsdl/access.wsdl",
            "<soap:address location=",
            "<soap:address  location=",
            "address",
        ),
        (
            "wsdl/access.wsdl",
            'message name="LoginInput"',
            'message name="Gone"',
            "LoginInput",
        ),
        ("wsdl/access.wsdl", "</wsdl:definitions>", "", "well-formed"),
        ("xsd/access.xsd", '"common.xsd"', '"gone.xsd"', "import"),
        ("xsd/access.xsd", '"common.xsd"', '"/etc/passwd"', "import"),
        ("xsd/access.xsd", '"common.xsd"', '"http://127.0.0.1:9/common.xsd"', "import"),
        ("xsd/access.xsd", '"[A-Za-z0-9._@\\-]{1,64}"', '"[A-Za"', "pattern"),
        ("xsd/access.xsd", "<!-- Service", "<!DOCTYPE x><!-- Service", "document type"),
    ],
)
def test_broken_file_stops_the_start(
    copy: Path, path: str, old: str, new: str, said: str
) -> None:
    _change(copy, path, old, new)

    with pytest.raises(ContractError) as raised:
        Contract.load(copy)

    assert raised.value.file == path
    assert said in raised.value.construct


def test_import_reads_no_file_that_is_not_ours(copy: Path) -> None:
    other = copy / "other.xsd"
    shutil.copy(copy / "xsd" / "common.xsd", other)
    _change(copy, "xsd/access.xsd", '"common.xsd"', f'"{other}"')

    with pytest.raises(ContractError, match="import"):
        Contract.load(copy)


def test_missing_folder_stops_the_start(copy: Path) -> None:
    shutil.rmtree(copy / "wsdl")

    with pytest.raises(ContractError, match="wsdl"):
        Contract.load(copy)


def test_service_without_schema_stops_the_start(copy: Path) -> None:
    (copy / "xsd" / "tariff.xsd").unlink()

    with pytest.raises(ContractError, match="tariff"):
        Contract.load(copy)


def test_empty_folder_and_huge_file_stop_the_start(copy: Path) -> None:
    (copy / "xsd" / "common.xsd").write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(ContractError, match="longer"):
        Contract.load(copy)

    for path in (copy / "xsd").iterdir():
        path.unlink()
    with pytest.raises(ContractError, match="empty"):
        Contract.load(copy)


def test_threads_that_compile_at_once_all_get_their_schema() -> None:
    own = AuthoredFiles.load()
    names = ["access", "sdr", "evse", "csp-endpoint"] * 25

    with ThreadPoolExecutor(8) as threads:
        compiled = list(threads.map(own.compile, names))

    assert len(compiled) == len(names)


def _named(contract: Contract, word: str) -> list[object]:
    return [contract, word]


def test_what_is_made_of_a_contract_is_made_once_for_each_contract_and_word(
    contract: Contract,
) -> None:
    another = Contract.load()

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda _: contract.once(_named, "a"), range(8)))

    assert found[0] == [contract, "a"]
    assert all(one is found[0] for one in found)
    assert contract.once(_named, "b") is not found[0]
    assert another.once(_named, "a")[0] is another
