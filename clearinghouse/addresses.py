"""Which network addresses are of the public internet: a leaf, one rule for all.

The services ask it when a partner registers its endpoint, and the transport asks it
again about the address that it is going to connect to. The lists are our own: what the
standard library counts as global differs from one Python to the next, and it takes
site-local and some translated addresses for public ones.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

# IPv4: all but what the IANA registry of special purposes sets apart.
_SPECIAL_IPV4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # behind a carrier's translation
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and metadata services of clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)

# IPv6: nothing but global unicast. That leaves out loopback, unique local, link-local
# and site-local addresses, multicast, those that are compatible with IPv4, and both
# prefixes of translators (64:ff9b::/96, 64:ff9b:1::/48).
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_SPECIAL_IPV6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments; Teredo, benchmarks and ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address inside, reached through a relay
        "3fff::/20",  # documentation
    )
)


def is_public(address: str) -> bool:
    """Say whether a numerical address is one of the public internet.

    An IPv4 address in IPv6 clothes (``::ffff:0:0/96``) is judged as what it is. Raises
    :class:`ValueError` for a text that is no address.
    """
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv4Address):
        return _is_public_ipv4(parsed)
    mapped = parsed.ipv4_mapped
    return _is_public_ipv6(parsed) if mapped is None else _is_public_ipv4(mapped)


def _is_public_ipv4(address: IPv4Address) -> bool:
    return not any(address in network for network in _SPECIAL_IPV4)


def _is_public_ipv6(address: IPv6Address) -> bool:
    return address in _GLOBAL_UNICAST and not any(
        address in network for network in _SPECIAL_IPV6
    )
