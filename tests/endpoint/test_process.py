"""The endpoint as its own process: command line, TLS, bounds, kill and restart."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import trustme

from clearinghouse.endpoint import serving
from clearinghouse.endpoint.serving import Address, Serving, tls_context
from tests.endpoint.partner import ACCESS_TOKEN, Partner, example, post
from tests.endpoint.scripted_house import ScriptedHouse
from tests.running.program import own_port
from tests.waiting import PATIENCE_SECONDS, eventually


@contextlib.contextmanager
def _endpoint(
    folder: Path, *options: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a CSP's endpoint and give the process and its address."""
    token_file = folder / "token"
    token_file.write_text(ACCESS_TOKEN + "\n")
    command = [sys.executable, "-m", "clearinghouse.endpoint", "serve", "--role", "csp"]
    command += ["--party-id", "NLTNM", "--state", str(folder)]
    command += ["--access-token-file", str(token_file), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield process, line.removeprefix("listening on ").strip()
        finally:
            process.kill()


@pytest.mark.slow
def test_knows_after_a_kill_what_it_took_before(tmp_path: Path) -> None:
    message = example("csp-endpoint", "DeliverSdrs")
    renamed = re.sub(b"(<common:messageId>).{8}", b"\\g<1>00000000", message)

    # No port that the system gives to others meanwhile.
    port = str(own_port(15))
    with _endpoint(tmp_path, "--port", port) as (process, url):
        assert post(url, "csp-endpoint", message).text("code") == "0"
        process.send_signal(signal.SIGKILL)
        process.wait()
    with _endpoint(tmp_path, "--port", port) as (_, url):
        assert post(url, "csp-endpoint", renamed).text("code") == "0"

    lines = (tmp_path / "csp.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds == ["sdr", "delivery"], "the second delivery brought nothing new"


@pytest.mark.slow
def test_ends_cleanly_when_asked_to(tmp_path: Path) -> None:
    with _endpoint(tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_SECONDS) == 0


def test_hears_any_number_of_signals_while_it_ends() -> None:
    # Handled inside one another they must not wait for each other.
    program = """
import os, signal, threading
from clearinghouse.endpoint.serving import end_signals

def flood():
    for _ in range(20_000):
        os.kill(os.getpid(), signal.SIGTERM)

asked = end_signals()
flooding = threading.Thread(target=flood)
flooding.start()
while flooding.is_alive():
    asked.get()
    asked.put(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, timeout=PATIENCE_SECONDS
    )

    assert done.returncode == 0


@pytest.mark.slow
def test_calls_one_operation_from_the_command_line(
    tmp_path: Path, house: ScriptedHouse
) -> None:
    password_file = tmp_path / "password"
    password_file.write_text("correct horse\n")
    command = [sys.executable, "-m", "clearinghouse.endpoint", "call", "GetSession"]
    options = ["--url", house.url, "--party-id", "NLTNM", "--username", "tnm"]
    options += ["--password-file", str(password_file)]

    done = subprocess.run(
        [*command, '{"partnerSessionId": "A23-S-1"}', *options],
        capture_output=True,
        text=True,
        check=True,
    )
    wrong = subprocess.run(
        [*command, "{}", *options], capture_output=True, text=True, check=False
    )

    assert json.loads(done.stdout)["result"]["code"] == 0
    assert house.named("GetSession")[0].body.partner_session_id == "A23-S-1"
    assert wrong.returncode == 1
    assert "805" in wrong.stderr


@pytest.mark.clause("6-L5", "7.1-secure")
def test_serves_over_tls(partner: Partner, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    chain, key, root = (str(tmp_path / name) for name in ("chain", "key", "root"))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(chain, append=True)
    certificate.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(root)
    app = partner.serving.application
    secure = Serving(app, Address(tls=tls_context(chain, key)))

    answer = requests.get(
        f"{secure.url}/xsd/common.xsd", verify=root, timeout=PATIENCE_SECONDS
    )
    secure.stop()

    assert answer.status_code == 200


def test_keeps_a_connection_open_over_requests(partner: Partner) -> None:
    place = urlsplit(partner.serving.url)
    ask = b"GET /xsd/common.xsd HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection((place.hostname or "", place.port or 0)) as raw:
        raw.sendall(ask + ask)
        raw.settimeout(PATIENCE_SECONDS)
        found = b""
        while found.count(b"</xs:schema>") < 2:
            found += raw.recv(65_536)

    assert found.count(b"HTTP/1.1 200 OK") == 2


def test_closes_connections_above_the_bound_and_recovers(partner: Partner) -> None:
    place = urlsplit(partner.serving.url)
    address = (place.hostname or "", place.port or 0)
    message = example("csp-endpoint", "Authorize")
    with contextlib.ExitStack() as many:
        for _ in range(serving.CONNECTIONS_MAX):
            many.enter_context(socket.create_connection(address))
        last = many.enter_context(socket.create_connection(address))
        last.settimeout(PATIENCE_SECONDS)
        assert last.recv(1) == b"", "one connection too many is closed at once"

    def answers() -> bool:
        # The places of those who left come free one by one.
        with contextlib.suppress(OSError, http.client.HTTPException):
            return post(partner.serving.url, "csp-endpoint", message).status == 200
        return False

    eventually(answers)


def test_spyne_imports_with_the_replacements_of_newer_pythons() -> None:
    code = (
        "from clearinghouse.endpoint import compat as c, server; c._replace_cgi();"
        "import cgi; print(cgi.parse_header('text/xml; charset=utf-8'))"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "('text/xml', {'charset': 'utf-8'})"
