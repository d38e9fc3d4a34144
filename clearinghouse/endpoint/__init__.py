"""The reference roaming endpoint: what a partner who uses Python starts from.

Purpose: host the partner services with spyne and call the clearing house with zeep
(extra ``endpoint``). May import ``contract``, ``identifiers`` and
``codes``. To add an operation: contract first, then ``server.py`` or ``client.py``.
"""
