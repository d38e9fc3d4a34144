"""Tests of the domain: pure, without database and without clock."""
