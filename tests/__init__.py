"""The tests: folders mirror the floors of the package.

``fixtures`` are plugins by topic, ``examples`` the messages that the documentation
shows too, ``flows`` whole stories over HTTP, ``conventions`` the house rules,
``interop`` foreign SOAP clients, ``benchmarks`` ratios against a peer.
"""
