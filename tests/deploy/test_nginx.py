"""nginx with the shipped configuration: TLS, client certificates, limits.

The configuration is used as it is shipped, with the certificates, the log and the
ports of the test put in.
"""

from __future__ import annotations

import http.client
import http.server
import json
import re
import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trustme

from tests.conventions.source import ROOT
from tests.running.program import own_port
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")

SHIPPED = ROOT / "deploy" / "nginx" / "clearinghouse.conf"
WRAPPER = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {shipped}
}}
"""
MEBIBYTE = 1024 * 1024


class _Echo(http.server.BaseHTTPRequestHandler):
    """Stands for the clearing house and answers with the headers it received."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps(dict(self.headers.items())).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A running nginx, and what a client needs to speak with it."""

    port: int
    authority: trustme.CA
    partner: trustme.LeafCert
    stranger: trustme.LeafCert

    def context(self, certificate: trustme.LeafCert | None) -> ssl.SSLContext:
        """Return a client's TLS settings, with its certificate if it has one."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
        return context

    def post(
        self, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send one request as the partner; return status and body of the answer."""
        return self.post_as(self.context(self.partner), path, body, headers)

    def post_as(
        self,
        context: ssl.SSLContext,
        path: str = "/services/access",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Send one request with the given TLS settings."""
        client = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=context, timeout=90
        )
        try:
            client.request("POST", path, body, headers or {})
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()


@contextmanager
def _upstream() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _configuration(folder: Path, *, port: int, upstream: int) -> str:
    shipped = SHIPPED.read_text(encoding="utf-8")
    for theirs, ours in (
        ("/etc/clearinghouse/tls/", f"{folder}/"),
        ("/var/log/nginx/", f"{folder}/"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("server 127.0.0.1:8063 ", f"server 127.0.0.1:{upstream} "),
    ):
        assert theirs in shipped
        shipped = shipped.replace(theirs, ours)
    return WRAPPER.format(folder=folder, shipped=shipped)


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    def listens() -> bool:
        assert process.poll() is None, "nginx refused its configuration"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    eventually(listens)


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("nginx")
    servers, partners, port = trustme.CA(), trustme.CA(), own_port(17)
    # with an RSA key, ciphers without forward secrecy would be possible
    server = servers.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    (folder / "server.pem").write_bytes(
        b"".join(part.bytes() for part in server.cert_chain_pems)
    )
    (folder / "server.key").write_bytes(server.private_key_pem.bytes())
    (folder / "partners.pem").write_bytes(partners.cert_pem.bytes())
    with _upstream() as upstream:
        configuration = folder / "nginx.conf"
        configuration.write_text(
            _configuration(folder, port=port, upstream=upstream), encoding="utf-8"
        )
        assert NGINX is not None
        with subprocess.Popen([NGINX, "-p", str(folder), "-c", configuration]) as nginx:
            try:
                _wait_until_open(port, nginx)
                yield Edge(
                    port=port,
                    authority=servers,
                    partner=partners.issue_cert("partner.example"),
                    stranger=trustme.CA().issue_cert("stranger.example"),
                )
            finally:
                nginx.terminate()


@pytest.mark.clause("6-L5", "7.1-secure", "7.3")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_partner_with_certificate_comes_in(edge: Edge, version: ssl.TLSVersion) -> None:
    context = edge.context(edge.partner)
    context.minimum_version = context.maximum_version = version

    status, _ = edge.post_as(context)

    assert status == 200


@pytest.mark.clause("6-L5")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("name", ["TLSv1", "TLSv1_1"])
def test_refuses_tls_older_than_1_2(edge: Edge, name: str) -> None:
    context = edge.context(edge.partner)
    # this machine's own floor must not be what refuses
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    version = ssl.TLSVersion[name]
    context.minimum_version = context.maximum_version = version

    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        edge.post_as(context)


@pytest.mark.clause("7.1-algo")
@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-RSA-AES256-SHA384"])
def test_refuses_ciphers_without_forward_secrecy_or_authentication(
    edge: Edge, cipher: str
) -> None:
    context = edge.context(edge.partner)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")

    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        edge.post_as(context)


@pytest.mark.clause("7.1-algo")
def test_offers_neither_des_nor_3des() -> None:
    shipped = SHIPPED.read_text(encoding="utf-8")
    wanted = re.search(r"ssl_ciphers (\S+);", shipped)
    assert wanted is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    context.set_ciphers(wanted[1])

    assert not [c["name"] for c in context.get_ciphers() if "DES" in c["name"]]


@pytest.mark.clause("7.1-secure", "7.1-protect")
def test_refuses_client_without_certificate(edge: Edge) -> None:
    status, body = edge.post_as(edge.context(None))

    assert status == 400
    assert b"No required SSL certificate" in body


@pytest.mark.clause("7.1-secure", "7.1-protect")
def test_refuses_certificate_of_another_authority(edge: Edge) -> None:
    status, body = edge.post_as(edge.context(edge.stranger))

    assert status == 400
    assert b"SSL certificate error" in body


@pytest.mark.clause("7.1-protect")
def test_overwrites_what_a_client_says_about_its_address(edge: Edge) -> None:
    spoofed = {"X-Forwarded-For": "10.9.9.9", "Forwarded": "for=10.9.9.9"}

    _, body = edge.post("/services/access", headers=spoofed)

    received = json.loads(body)
    assert received["X-Forwarded-For"] == "127.0.0.1"
    assert "Forwarded" not in received


@pytest.mark.clause("7.1-protect")
def test_refuses_large_message_except_sdr_batch(edge: Edge) -> None:
    large = b" " * (3 * MEBIBYTE)

    refused, _ = edge.post("/services/evse", large)
    taken, _ = edge.post("/services/sdr", large)

    assert (refused, taken) == (413, 200)


@pytest.mark.clause("7.1-protect")
@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/readyz", "/servicesx", "/services/../x"]
)
def test_answers_nothing_but_services_and_contract(edge: Edge, path: str) -> None:
    status, _ = edge.post(path)

    assert status == 404
