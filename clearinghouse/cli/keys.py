"""Verbs on the key that signs receipts, seals and statements: show, rotate."""

from __future__ import annotations

import typer

from clearinghouse.cli.context import house, output_of
from clearinghouse.services import seals

group = typer.Typer(no_args_is_help=True, help="The key that the house signs with.")


@group.command()
def show(
    context: typer.Context,
    every: bool = typer.Option(False, "--all", help="Also the keys of before."),
) -> None:
    """Print the public key, in PEM: give it to partners and auditors."""
    with house(context) as env:
        found = seals.keys(env)
    shown = found if every else found[-1:]
    output_of(context).value(
        [
            {
                "key_id": key.key_id,
                "valid_from": key.valid_from,
                "public_key": key.pem,
            }
            for key in shown
        ],
        "".join(key.pem for key in shown).rstrip("\n"),
    )


@group.command()
def rotate(context: typer.Context) -> None:
    """Make a new key; what was signed stays true under the old public key."""
    with house(context) as env:
        key = seals.rotate_key(env)
    output_of(context).value(
        {"key_id": key.key_id, "public_key": key.pem},
        f"the house signs with key {key.key_id} now; give it to partners and auditors:"
        f"\n{key.pem}".rstrip("\n"),
    )
