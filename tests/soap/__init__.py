"""Tests of the SOAP engine: bytes to records and back, and every hostile message.

``house`` runs the engine with handlers that give the answers of the examples;
``hostile`` sends a message and checks what has to hold after each of them.
"""
