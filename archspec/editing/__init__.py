"""What an editor asks of a spec while it is written, as plain functions and data; no protocol and no editor.

`Desk` holds the open files, `Document` one of them with its last answers. The files of this package each give one
answer: findings, hover, completion, definitions, renaming, the outline, hints and fixes.
"""

from __future__ import annotations

from archspec.editing.desk import Desk
from archspec.editing.document import Document
from archspec.editing.places import Extent, Lines, Position

__all__ = ["Desk", "Document", "Extent", "Lines", "Position"]
