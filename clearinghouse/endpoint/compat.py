"""spyne 2.14, made importable on Python 3.12 and 3.13; the only module to import it.

spyne carries an old copy of six whose importer Python 3.12 no longer accepts, and it
imports :mod:`cgi`, which Python 3.13 no longer has. Both are put in place here
under the names that spyne imports. It does not collect all garbage with each message
any more. Nothing else of spyne is changed.
"""

from __future__ import annotations

import importlib
import logging
import math
import sys
import warnings
from email.message import Message
from types import ModuleType

# The members of spyne's copy of six that spyne imports as modules.
_MOVES = (
    "collections_abc",
    "urllib",
    "urllib.parse",
    "urllib.request",
    "urllib.error",
    "http_client",
    "http_cookies",
    "builtins",
)


def parse_header(value: str) -> tuple[str, dict[str, str]]:
    """Split a header such as ``text/xml; charset=utf-8``, as ``cgi`` did."""
    message = Message()
    message["content-type"] = value
    first, *others = message.get_params() or [("", "")]
    return first[0], dict(others)


def _replace_six() -> None:
    import six
    import six.moves

    # spyne's own addition to its copy of six.
    six.get_function_name = lambda function: function.__name__
    sys.modules["spyne.util.six"] = six
    sys.modules["spyne.util.six.moves"] = six.moves
    for name in _MOVES:
        sys.modules[f"spyne.util.six.moves.{name}"] = importlib.import_module(
            f"six.moves.{name}"
        )


def _replace_cgi() -> None:
    module = ModuleType("cgi")
    module.parse_header = parse_header  # type: ignore[attr-defined] # made here
    sys.modules["cgi"] = module


def prepare() -> None:
    """Put the replacements in place; harmless when repeated or not needed."""
    # spyne logs whole documents and a trace per refused message; what remains is
    # an error in a partner's own behaviour.
    logging.getLogger("spyne").setLevel(logging.CRITICAL)
    # Also on 3.11, where the old importer works and warns.
    _replace_six()
    if sys.version_info >= (3, 13):
        _replace_cgi()


prepare()

with warnings.catch_warnings():
    # Its sources have old escapes and imports, at which newer Pythons warn.
    warnings.simplefilter("ignore")
    from spyne import AnyXml, Application, Fault, MethodContext, ServiceBase, const, rpc
    from spyne.protocol.soap import Soap11
    from spyne.server.wsgi import WsgiApplication

# After a message, at most once a second, spyne has all garbage collected, for the sake
# of files: our messages have none. In a large process all threads stand meanwhile.
const.MIN_GC_INTERVAL = math.inf

__all__ = [
    "AnyXml",
    "Application",
    "Fault",
    "MethodContext",
    "ServiceBase",
    "Soap11",
    "WsgiApplication",
    "rpc",
]
