"""What a running server publishes: the contract's bytes, and its metrics."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
from lxml import etree
from prometheus_client.parser import text_string_to_metric_families

from tests.conventions.source import ROOT
from tests.running.program import Program, own_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICES = sorted(path.stem for path in (ROOT / "wsdl").glob("*.wsdl"))
PARTNERS_OFFER = {"csp-endpoint", "cso-endpoint"}
PUBLIC_URL = "https://roaming.example/a&b/"
XSD = "{http://www.w3.org/2001/XMLSchema}"
ADDRESS = re.compile(rb'(?<=:address location=")[^"]*(?=")')


def get(url: str) -> tuple[bytes, str]:
    """Return what a person's browser would get, and its kind."""
    with urllib.request.urlopen(url, timeout=90) as answer:  # noqa: S310 - our own
        return answer.read(), answer.headers["Content-Type"]


@pytest.fixture(scope="module")
def behind_nginx(house: Program) -> Iterator[Program]:
    """Run a second server on the same database, one that has a public address."""
    settings = {"CLEARINGHOUSE_PUBLIC_URL": PUBLIC_URL}
    program = Program(house.folder, "serve", settings=settings, port=own_port(3))
    try:
        yield program.start().ready()
    finally:
        program.stop()


def with_address(service: str, url: str) -> bytes:
    """Return the authored WSDL, as it has to be served at an address."""
    authored = (ROOT / "wsdl" / f"{service}.wsdl").read_bytes()
    if service in PARTNERS_OFFER:  # where a partner offers it, nobody knows here
        return authored
    place = f"{url}/services/{service}".replace("&", "&amp;").encode()
    served, count = ADDRESS.subn(place, authored)
    assert count == 2  # a SOAP 1.1 port and a SOAP 1.2 port
    return served


@pytest.mark.clause("6-L7", "6-L6")
@pytest.mark.parametrize("service", SERVICES)
def test_served_wsdl_is_the_authored_file_with_the_address(
    house: Program, service: str
) -> None:
    expected = with_address(service, house.url)

    for place in (f"/services/{service}?wsdl", f"/wsdl/{service}.wsdl"):
        body, kind = get(house.url + place)
        assert body == expected
        assert kind.startswith("text/xml")


@pytest.mark.parametrize("service", SERVICES)
def test_served_wsdl_names_the_public_address(
    behind_nginx: Program, service: str
) -> None:
    body, _ = get(f"{behind_nginx.url}/services/{service}?wsdl")

    assert body == with_address(service, PUBLIC_URL.rstrip("/"))


@pytest.mark.parametrize("service", SERVICES)
def test_each_import_leads_to_the_authored_schema(house: Program, service: str) -> None:
    waiting = [f"{house.url}/services/{service}?wsdl"]
    seen: set[str] = set()

    while waiting:
        url = waiting.pop()
        body, _ = get(url)
        seen.add(url)
        for found in etree.fromstring(body).iter(f"{XSD}import", f"{XSD}include"):
            target = urljoin(url, found.get("schemaLocation", "nowhere"))
            waiting += [] if target in seen else [target]

    schemas = {url for url in seen if "wsdl" not in url}
    assert schemas
    for url in schemas:
        authored = ROOT / url.removeprefix(f"{house.url}/")
        assert get(url)[0] == authored.read_bytes()


def test_every_authored_schema_is_served(house: Program) -> None:
    for path in sorted((ROOT / "xsd").glob("*.xsd")):
        body, kind = get(f"{house.url}/xsd/{path.name}")
        assert body == path.read_bytes()
        assert kind.startswith("text/xml")


def _post(url: str) -> int:
    request = urllib.request.Request(  # noqa: S310 - our own server
        url, b"<rubbish/>", {"Content-Type": "text/xml"}
    )
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_metrics_are_told_in_the_format_of_prometheus(house: Program) -> None:
    assert _post(f"{house.url}/services/access") == 500

    body, kind = get(f"http://127.0.0.1:{house.metrics_port}/metrics")

    assert kind.startswith("text/plain")
    families = {
        found.name: found for found in text_string_to_metric_families(body.decode())
    }
    messages = families["clearinghouse_message_seconds"]
    assert messages.type == "histogram"
    counts = [one for one in messages.samples if one.name.endswith("_count")]
    assert sum(one.value for one in counts) >= 1
    assert {tuple(sorted(one.labels)) for one in counts} == {("code", "operation")}


def test_partners_port_shows_no_metrics(house: Program) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(f"{house.url}/metrics")

    assert caught.value.code == 404
    caught.value.close()


def test_taken_metrics_port_is_told(house: Program) -> None:
    settings = {"CLEARINGHOUSE_METRICS_PORT": str(house.metrics_port)}
    server = Program(house.folder, "serve", settings=settings, port=own_port(3)).start()
    worker_settings = {"CLEARINGHOUSE_METRICS_PORT": str(house.metrics_port - 1)}
    worker = Program(house.folder, "worker", settings=worker_settings, port=1).start()

    for program in (server, worker):
        assert program.ended() == 1
        words = f"port {house.metrics_port} for metrics is taken; see metrics_port"
        assert words in program.said


def test_server_without_a_metrics_port_listens_on_its_port_only(
    behind_nginx: Program,
) -> None:
    assert behind_nginx.listens_on() == {behind_nginx.port}


def test_worker_tells_its_own_metrics(house: Program) -> None:
    settings = {"CLEARINGHOUSE_METRICS_PORT": str(own_port(4))}
    worker = Program(house.folder, "worker", settings=settings, port=2).start()
    try:
        worker.until_says("delivering")
        body, _ = get(f"http://127.0.0.1:{worker.metrics_port + 1}/metrics")
    finally:
        code = worker.stop()

    assert b"clearinghouse_outbox_oldest_seconds" in body
    assert code == 0
    with socket.socket() as probe:  # the port is given back
        assert probe.connect_ex(("127.0.0.1", worker.metrics_port + 1)) != 0
