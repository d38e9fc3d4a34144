"""One rule for addresses: nothing that leads into a private network is public."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.addresses import is_public

PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
    "2001:200::1",
    "::ffff:8.8.8.8",
]
NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104  # an address to refuse
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::8.8.8.8",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "64:ff9b:1:a00:0:100::",
    "100::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.clause("7.1-protect")
@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.clause("7.1-protect")
@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_addresses_of_special_purposes_are_not(address: str) -> None:
    assert not is_public(address)


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="address"):
        is_public("partner.example")


def _clothed(inner: IPv4Address) -> list[IPv6Address]:
    """Return an IPv4 address in every form in which IPv6 carries one (RFC 6052...)."""
    number = int(inner)
    high, low = divmod(number, 1 << 16)
    prefix = ipaddress.IPv6Address
    local_use = int(prefix("64:ff9b:1::"))
    return [
        IPv6Address(number),  # compatible
        IPv6Address(int(prefix("::ffff:0:0")) | number),  # mapped
        IPv6Address(int(prefix("::ffff:0:0:0")) | number),  # translated (SIIT)
        IPv6Address(int(prefix("64:ff9b::")) | number),  # NAT64
        IPv6Address(local_use | number),  # NAT64, local use, /96
        IPv6Address(local_use | high << 64 | low << 40),  # the same, /48
        IPv6Address(int(prefix("2002::")) | number << 80),  # 6to4
        IPv6Address(int(prefix("2001::")) | number ^ 0xFFFFFFFF),  # Teredo
    ]


@given(st.ip_addresses(v=4))
def test_no_clothes_make_a_private_address_public(inner: IPv4Address) -> None:
    for clothed in _clothed(inner):
        assert not is_public(str(clothed)) or is_public(str(inner))


@given(st.ip_addresses())
def test_what_python_knows_to_be_special_is_never_public(
    address: IPv4Address | IPv6Address,
) -> None:
    special = (
        not address.is_global
        or address.is_multicast
        or address.is_link_local
        or address.is_loopback
        or address.is_private
        or address.is_unspecified
    )
    mapped = isinstance(address, IPv6Address) and address.ipv4_mapped is not None

    assert mapped or not (special and is_public(str(address)))
