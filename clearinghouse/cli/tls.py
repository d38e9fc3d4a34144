"""TLS where it ends here: the pair looked at beforehand, our own server asked."""

from __future__ import annotations

import http.client
import socket
import ssl
from http import HTTPStatus
from pathlib import Path

from cryptography import x509

from clearinghouse.settings import Settings

LOOK_SECONDS = 2.0
"""Longest wait for our own server on this machine."""


def fault_of_pair(own: Settings) -> str | None:
    """Say what is wrong with certificate and key, ``None`` when they serve or are none.

    The application server would end with a trace of calls.
    """
    if own.tls_certificate is None or own.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # An empty passphrase: otherwise a sealed key is asked for at the terminal.
        context.load_cert_chain(own.tls_certificate, own.tls_key, password="")
    except (OSError, ValueError) as error:
        return f"set tls_certificate and tls_key to a PEM pair: {error}"
    return None


def answers_with(certificate: Path, host: str, port: int, path: str) -> bool:
    """Whether the server with this very certificate answers 200 at a local address.

    It names partners' host, not the address that is asked, so it is asked by its name.
    """
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        with (
            socket.create_connection((host, port), LOOK_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=_name_in(certificate)) as secure,
        ):
            asking = http.client.HTTPConnection(host, port)
            asking.sock = secure
            asking.request("GET", path)
            return asking.getresponse().status == HTTPStatus.OK
    except (OSError, ValueError, http.client.HTTPException):
        return False


def _name_in(certificate: Path) -> str:
    """Return a name that the certificate is for; raises :class:`ValueError` if none."""
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound as error:
        raise ValueError("the certificate names no host") from error
    hosts = [
        *names.value.get_values_for_type(x509.DNSName),
        *map(str, names.value.get_values_for_type(x509.IPAddress)),
    ]
    return hosts[0].replace("*", "any") if hosts else ""
