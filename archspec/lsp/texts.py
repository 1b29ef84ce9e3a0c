"""The documents that a client has open, by URI, and the paths under which specs name them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit
from zlib import crc32

from pygls.uris import to_fs_path

from archspec.editing.desk import same_file
from archspec.record import record


@record(kw_only=False)
class OpenText:
    """The text of an open document as the client last sent it, with the version that the client gave."""

    uri: str
    path: Path
    text: str
    version: int | None


def path_of(uri: str, folder: Path) -> Path:
    """The path of a document.

    One that was never saved has the path under which it may be saved, or is in `folder`: it may extend what is there.
    Another text of a file, such as the committed one that an editor shows beside it, is in the folder of the file,
    under a name of its own. Raises ValueError for a URI that is none.
    """
    found = to_fs_path(uri)
    if found:
        return Path(found)
    parts = urlsplit(uri)
    path = Path(unquote(parts.path))
    if path.is_absolute() and path.name:
        return path if parts.scheme == "untitled" else path.with_name(f"{path.name} {crc32(uri.encode()):x}")
    name = "".join(character if character.isalnum() or character in "-_." else "-" for character in str(path))
    return folder / (name.strip("-.") or "untitled")


def uri_of(file: str, opened: Mapping[Path, str]) -> str:
    """The URI of a file: the one that the client uses for an open one, also for one that is open under another name."""
    path = Path(file)
    same = same_file(path)
    return opened.get(path) or opened.get(same) or same.absolute().as_uri()
