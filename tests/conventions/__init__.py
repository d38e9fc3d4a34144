"""The rules of the house as tests: each file holds one family of rules."""
