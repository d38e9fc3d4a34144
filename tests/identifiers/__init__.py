"""Tests of the identifiers: pure, without database."""
