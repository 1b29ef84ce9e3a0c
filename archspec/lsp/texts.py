"""The documents that a client has open, by URI, and the paths under which specs name them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pygls.uris import to_fs_path

from archspec.record import record


@record(kw_only=False)
class OpenText:
    """The text of an open document as the client last sent it, with the version that the client gave."""

    uri: str
    path: Path
    text: str
    version: int | None


def path_of(uri: str, folder: Path) -> Path:
    """The path of a document; one that was never saved is taken to be in `folder`, where it may extend what is there.

    Raises ValueError for a URI that is none.
    """
    found = to_fs_path(uri)
    if found:
        return Path(found)
    parts = urlsplit(uri)
    name = "".join(character if character.isalnum() or character in "-_." else "-" for character in unquote(parts.path))
    return folder / (name.strip("-.") or "untitled")


def uri_of(file: str, opened: dict[Path, str]) -> str:
    """The URI of a file: the one that the client uses for an open one."""
    path = Path(file)
    try:
        same = path.resolve()
    except (OSError, ValueError, RuntimeError):
        same = path
    known = opened.get(same)
    return known if known is not None else same.absolute().as_uri()
