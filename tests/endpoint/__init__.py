"""The reference endpoint: its server under attack, its client against our engine."""
