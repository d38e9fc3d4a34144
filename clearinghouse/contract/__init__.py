"""The published contract: the WSDL and XSD files, read and checked.

Purpose: load the authored files, list the operations, validate documents against
the schemas. May import the leaves only. To add an operation: author ``wsdl/`` and
``xsd/`` first, then examples under ``tests/examples``, then a handler.
"""
