"""Reading of the authored files, and of nothing else.

The published WSDL and XSD files lie in the package (``clearinghouse/wsdl`` and
``clearinghouse/xsd``). Besides ``clearinghouse/soap/parser.py`` this is the only
module that parses XML, and it takes no bytes from outside: a name is looked up in
the list of files found in the two folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

from lxml import etree

from clearinghouse.contract.errors import ContractError

if TYPE_CHECKING:
    # What a resolver returns has a name in the stubs only.
    from lxml.etree._docloader import _InputDocument

# A file of ours above this size is a mistake of packaging; stops reading rubbish.
MAX_FILE_BYTES = 1024 * 1024

# Folder and ending of each kind of authored file, in the package and in addresses.
FOLDERS = MappingProxyType({"wsdl": ".wsdl", "xsd": ".xsd"})

# libxml2 looks imports up in one place that all threads share: two compilations at once
# could lose each other's.
_COMPILING = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredFiles:
    """The bytes of all authored files by path, as in ``xsd/common.xsd``."""

    content: Mapping[str, bytes]

    @classmethod
    def load(cls, root: Traversable | None = None) -> AuthoredFiles:
        """Read both folders of the package, or of another ``root``.

        Raises :class:`ContractError` when a folder or its files are missing.
        """
        root = files("clearinghouse") if root is None else root
        content: dict[str, bytes] = {}
        for folder, ending in FOLDERS.items():
            content.update(_read_folder(root, folder, ending))
        return cls(content=MappingProxyType(content))

    def names(self, folder: str) -> tuple[str, ...]:
        """List the names in a folder without their ending, sorted."""
        ending = FOLDERS[folder]
        prefix = f"{folder}/"
        return tuple(
            sorted(
                path.removeprefix(prefix).removesuffix(ending)
                for path in self.content
                if path.startswith(prefix)
            )
        )

    def parse(self, path: str) -> etree._Element:
        """Parse one authored file and return its root element.

        Raises :class:`ContractError` when it is missing or not well-formed.
        """
        if path not in self.content:
            raise ContractError(path, "the file is missing")
        parser = etree.XMLParser(
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            remove_comments=True,
            remove_pis=True,
        )
        parser.resolvers.add(_OwnFiles(self.content))
        try:
            # The address has no meaning but to let relative imports be resolved.
            root = etree.fromstring(self.content[path], parser, base_url=f"/{path}")
        except etree.XMLSyntaxError as error:
            raise ContractError(path, f"not well-formed: {error.msg}") from error
        if root.getroottree().docinfo.doctype:
            raise ContractError(path, "a document type")
        return root

    def compile(self, name: str) -> etree.XMLSchema:
        """Compile ``xsd/<name>.xsd`` with everything that it imports.

        Raises :class:`ContractError` when libxml2 does not accept it.
        """
        path = f"xsd/{name}.xsd"
        try:
            with _COMPILING:
                return etree.XMLSchema(self.parse(path))
        except etree.XMLSchemaParseError as error:
            raise ContractError(path, str(error)) from error


class _OwnFiles(etree.Resolver):
    """Answers an import with an authored file and refuses everything else."""

    def __init__(self, content: Mapping[str, bytes]) -> None:
        super().__init__()
        self._content = content

    def resolve(
        self,
        system_url: str | None,
        _public_id: str | None,
        context: object,
        /,
    ) -> _InputDocument:
        path = (system_url or "").removeprefix("/")
        if path not in self._content:
            raise ContractError(path, "imported, but not one of the authored files")
        return self.resolve_string(self._content[path], context, base_url=f"/{path}")


def _read_folder(root: Traversable, folder: str, ending: str) -> dict[str, bytes]:
    directory = root / folder
    found: dict[str, bytes] = {}
    if not directory.is_dir():
        raise ContractError(folder, "the folder is missing")
    for entry in directory.iterdir():
        if not entry.name.endswith(ending):
            continue
        path = f"{folder}/{entry.name}"
        found[path] = entry.read_bytes()
        if len(found[path]) > MAX_FILE_BYTES:
            raise ContractError(path, f"longer than {MAX_FILE_BYTES} bytes")
    if not found:
        raise ContractError(folder, "the folder is empty")
    return found
