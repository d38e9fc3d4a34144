"""``python -m clearinghouse.endpoint``."""

from clearinghouse.endpoint.cli import app

app()
