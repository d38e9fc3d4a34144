"""Verbs for auditors: the audit trail, and the seals of closed windows."""

from __future__ import annotations

from pathlib import Path

import typer

from clearinghouse.cli.context import house, output_of, refuse
from clearinghouse.services import audit, bundles, seals, settlement
from clearinghouse.storage.audit import ENTRIES_MAX

group = typer.Typer(no_args_is_help=True, help="The audit trail; seals of windows.")


@group.command(name="list")
def list_them(
    context: typer.Context,
    before: int | None = typer.Option(None, help="Only entries below this number."),
    limit: int = typer.Option(50, min=1, max=ENTRIES_MAX, help="Most entries."),
) -> None:
    """List who did what to what, newest first."""
    with house(context) as env:
        found = audit.entries(env, before=before, limit=limit)
    rows = [
        {
            "number": one.seq,
            "at": one.at,
            "actor": one.actor,
            "action": one.action,
            "object": one.object,
            "outcome": one.outcome,
        }
        for one in found
    ]
    output_of(context).rows("Audit trail", rows, empty="Nothing was done yet.")


@group.command()
def seal(context: typer.Context) -> None:
    """Seal the windows that are closed: a root over all SDRs, in the signed chain.

    The worker does it by itself. An SDR that was changed since its intake is named, and
    nothing is sealed.
    """
    output = output_of(context)
    with house(context) as env, output.progress("sealing", None):
        sealed = seals.seal_pending(env)
    output.value({"sealed": sealed}, f"{sealed} windows were sealed")


@group.command()
def chain(context: typer.Context) -> None:
    """List the sealed windows, and check the chain and its signatures."""
    output = output_of(context)
    with house(context) as env:
        blocks, broken = seals.blocks(env)
    rows = [
        {
            "seq": block.seq,
            "window": block.label,
            "sealed_at": block.sealed_at,
            "root": block.root.hex(),
            "hash": block.hash.hex(),
            "key_id": block.key_id,
        }
        for block in blocks
    ]
    output.rows("Sealed windows", rows, empty="No window is sealed yet.")
    if broken:
        refuse(output, "\n".join(broken), code="SEAL_BROKEN")


@group.command()
def bundle(
    context: typer.Context,
    window: str = typer.Argument(help="Label of the closed window: 2026-11."),
    to: Path = typer.Option(Path("audit-bundle.zip"), help="The file to write."),
) -> None:
    """Write the audit bundle of a window: all that proves it, in one signed file.

    An auditor checks it with ``clearinghouse-verify``, the file and our public key.
    """
    output = output_of(context)
    with house(context) as env:
        found = settlement.window_named(env, window)
        if found is None:
            refuse(
                output, f"there is no window {window}: clearinghouse settlement list"
            )
        with output.progress(f"writing {to}", None):
            written = bundles.write_bundle(env, found.window_id, to)
    output.value(
        {
            "file": str(written.path),
            "window": written.window.label,
            "bytes": written.size,
            "sha256": written.digest.hex(),
            "key_id": written.key_id,
        },
        f"{written.path}: window {written.window.label}, {written.size} bytes, "
        f"signed with key {written.key_id}",
    )
