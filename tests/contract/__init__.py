"""Tests of the published contract: files, style, examples, model.

``authored`` finds the files, ``style`` holds the style rules as functions; the
tests ask each rule about each file, and about a file that breaks it.
"""
