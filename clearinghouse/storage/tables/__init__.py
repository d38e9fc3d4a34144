"""The tables as SQLAlchemy sees them: columns for statements, nothing more.

Purpose: names and types of columns, one module per group of nouns. Constraints,
defaults, indexes and grants live in the migrations alone; a test compares both. May
import: sqlalchemy. To add a table: a migration first, then its columns here.
"""
