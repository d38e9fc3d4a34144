"""The contract's types as plain Python: one module per service.

Purpose: frozen dataclasses whose fields stand in the order of the schema and carry
the elements' names in snake_case; ``codec`` turns them into XML and back. May import
nothing of the house. To add a type: schema first, then a dataclass in the module of
its service; a test compares the two.
"""
