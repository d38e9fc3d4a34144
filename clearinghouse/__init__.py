"""Clearing house for roaming between charging networks, after IEC 63119.

Purpose: the installed package. Layers are folders, and imports only go down:

    cli                  commands of the operator
     |
    app                  puts the parts together: server, worker, demo
     |
    facades | delivery   partners' messages in | ours to partners out
     |
    services             one function per use case, its transactions visible
     |
    storage | reports    SQL | statements, same input, same bytes
     |
    domain               the rules: pure functions and values
     |
    identifiers          EVSE ids, contract ids, party ids, credentials

Beside the floors stand ``soap`` on ``contract`` (the SOAP engine and the published
WSDL and XSD files; both know no business) and ``endpoint`` (the reference roaming
endpoint a partner runs; it knows only ``contract``, ``identifiers``, ``codes``), and
``verify`` (the auditor's tools; they know nothing of the house, on purpose).
``codes``, ``settings`` and ``telemetry`` are leaves that everybody may import.

A feature has the same file name on every floor: ``git ls-files '*sdrs*'`` shows a
whole feature. May import: nothing. To add a file: find its floor above, name it by
its noun, and let ``./run test`` say whether its imports go down.
"""

__version__ = "0.1.0"
