"""The page that says which services there are: for whoever opens the address."""

from __future__ import annotations

from html import escape

from clearinghouse.contract.catalogue import Contract, ServiceContract

PATHS = ("/", "/services/", "/wsdl/")
"""Where the page is."""

_HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Clearing house: services</title></head>
<body>
<h1>Services</h1>
"""
_FOOT = "</body>\n</html>\n"


def page(contract: Contract, public_url: str | None) -> bytes:
    """Return the page: the WSDLs, the addresses, what each service is for."""
    services = sorted(
        contract.services.values(), key=lambda one: (one.offered_by_partners, one.name)
    )
    ours = [one for one in services if not one.offered_by_partners]
    theirs = [one for one in services if one.offered_by_partners]
    return "".join(
        [
            _HEAD,
            _list(ours, public_url or ""),
            "<h2>Services that partners offer</h2>\n",
            _list(theirs, None),
            _FOOT,
        ]
    ).encode()


def _list(services: list[ServiceContract], url: str | None) -> str:
    return f"<dl>\n{''.join(_entry(one, url) for one in services)}</dl>\n"


def _entry(service: ServiceContract, url: str | None) -> str:
    wsdl = f"/wsdl/{service.name}.wsdl"
    address = "" if url is None else f" <code>{escape(url + service.path)}</code>"
    return (
        f'<dt><a href="{wsdl}">{escape(service.name)}.wsdl</a>{address}</dt>\n'
        f"<dd>{escape(service.documentation)}</dd>\n"
    )
