"""The one error of this floor: an authored file that the house cannot follow.

It is raised while the server starts, never while it serves.
"""

from __future__ import annotations


class ContractError(Exception):
    """An authored file is missing, is broken or uses an unknown construct.

    ``file`` is the file's path below the package, ``construct`` says what stands
    there and where. Both are about our own files, so both may be shown.
    """

    def __init__(self, file: str, construct: str) -> None:
        super().__init__(f"{file}: {construct}")
        self.file = file
        self.construct = construct
