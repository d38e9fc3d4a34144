"""A forger's workshop: open a bundle, change it, and make it fit together again."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, Any

from clearinghouse.domain import merkle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearinghouse.storage.signing import SigningKey

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"


@dataclass
class Forged:
    """A bundle's files as lists of lines of fields; the heading is line 0."""

    files: dict[str, list[list[str]]]
    manifest: dict[str, Any]
    signature: str

    @classmethod
    def open(cls, content: bytes) -> Forged:
        with zipfile.ZipFile(BytesIO(content)) as bundle:
            files = {
                one["name"]: [
                    line.split("\t")
                    for line in bundle.read(one["name"]).decode().splitlines()
                ]
                for one in json.loads(bundle.read(MANIFEST))["files"]
            }
            manifest = json.loads(bundle.read(MANIFEST))
            return cls(files, manifest, bundle.read(SIGNATURE).decode())

    def column(self, name: str, field: str) -> int:
        return self.files[name][0].index(field)

    def get(self, name: str, line: int, field: str) -> str:
        return self.files[name][line][self.column(name, field)]

    def set(self, name: str, line: int, field: str, value: object) -> None:
        self.files[name][line][self.column(name, field)] = str(value)

    def add(self, name: str, line: int, field: str, by: int) -> None:
        self.set(name, line, field, int(self.get(name, line, field)) + by)

    def drop(self, name: str, line: int) -> None:
        del self.files[name][line]

    def find(self, name: str, field: str, value: str) -> int:
        at = self.column(name, field)
        return next(
            n for n, line in enumerate(self.files[name]) if n and line[at] == value
        )

    def seal(self, key: SigningKey) -> None:
        """Make leaves, roots and the last block fit, and sign the block with a key."""
        leaves = {
            line[2]: merkle.leaf_of("\t".join(line).encode())
            for line in self.files["sdrs.tsv"][1:]
        }
        self.files["leaves.tsv"][1:] = [[n, leaf.hex()] for n, leaf in leaves.items()]
        out = {line[0] for line in self.files["exclusions.tsv"][1:]}
        late = {line[0] for line in self.files["releases.tsv"][1:]}
        late |= {line[0] for line in self.files["corrections.tsv"][1:] if line[3]}
        pairs: dict[tuple[str, str, str], list[bytes]] = {}
        batches: dict[str, list[bytes]] = {}
        at = {name: n for n, name in enumerate(self.files["sdrs.tsv"][0])}
        for line in sorted(self.files["sdrs.tsv"][1:], key=lambda one: int(one[2])):
            leaf = leaves[line[2]]
            if line[2] not in late:
                batches.setdefault(line[at["batchId"]], []).append(leaf)
            if line[at["status"]] == "ACCEPTED" and line[2] not in out:
                pair = (
                    line[at["currency"]],
                    line[at["cspId"]],
                    line[at["submitterId"]],
                )
                pairs.setdefault(pair, []).append(leaf)
        for line in self.files["batches.tsv"][1:]:
            line[-1] = merkle.root_of(batches.get(line[0], [])).hex()
        for line in self.files["pairs.tsv"][1:]:
            line[-1] = merkle.root_of(pairs.get((line[2], line[3], line[4]), [])).hex()
        self.sign_block(key)

    def sign_block(self, key: SigningKey) -> None:
        """Put the root over the pairs into the last block and sign it."""
        rows = ["\t".join(line) for line in self.files["pairs.tsv"][1:]]
        root = merkle.root_of(merkle.leaf_of(row.encode()) for row in rows)
        *_, key_id, signature, text = range(len(self.files["chain.tsv"][0]))
        block = self.files["chain.tsv"][-1]
        said = dict(one.split(" ", 1) for one in block[text].split("\\n") if one)
        said |= {"root": root.hex(), "key": key.key_id}
        whole = "".join(f"{name} {value}\n" for name, value in said.items())
        block[key_id] = key.key_id
        block[signature] = key.sign(whole.encode()).hex()
        block[text] = whole.replace("\n", "\\n")
        self.manifest["block"] = sha256(whole.encode()).hexdigest()

    def content(self, name: str) -> bytes:
        return "".join("\t".join(line) + "\n" for line in self.files[name]).encode()

    def list(self, key: SigningKey) -> None:
        """Make the list of files fit, and sign it with a key."""
        self.manifest["keyId"] = key.key_id
        self.manifest["files"] = [
            {
                "name": name,
                "lines": len(lines) - 1,
                "bytes": len(self.content(name)),
                "sha256": sha256(self.content(name)).hexdigest(),
            }
            for name, lines in self.files.items()
        ]
        self.signature = key.sign(self.text()).hex()

    def text(self) -> bytes:
        return json.dumps(self.manifest, ensure_ascii=False, indent=1).encode()

    def write(self, path: Path) -> Path:
        members = {name: self.content(name) for name in self.files}
        members |= {MANIFEST: self.text(), SIGNATURE: self.signature.encode()}
        return write_zip(path, members)


def putting(
    name: str, field: str, value: str, changed: str, other: object
) -> Callable[[Forged], None]:
    """Return a forgery: write something else in the line where a field has a value."""

    def change(forged: Forged) -> None:
        forged.set(name, forged.find(name, field, value), changed, other)

    return change


def adding(
    name: str, field: str, value: str, changed: str, by: int
) -> Callable[[Forged], None]:
    """Return a forgery: add to a number in the line where a field has a value."""

    def change(forged: Forged) -> None:
        forged.add(name, forged.find(name, field, value), changed, by)

    return change


def write_zip(
    path: Path,
    members: dict[str, bytes],
    change: Callable[[zipfile.ZipFile], None] = lambda _: None,
) -> Path:
    """Write a ZIP; ``change`` may put more into it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)
        change(bundle)
    return path
