"""Deliveries to partners: the worker, its chores, and real endpoints that misbehave."""
