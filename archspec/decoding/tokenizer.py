"""Text to ids and ids to text, by the files that a model's tokenizer is published with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.decoding.text_packages import require
from archspec.decoding.tokenizer_config import TokenizerConfig, read_config
from archspec.diagnostics import fail
from archspec.record import record

if TYPE_CHECKING:
    from archspec.bundle.bundle import Bundle

TOKENIZER, CONFIG, TEMPLATE = "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"


@record(eq=False)
class Tokenizer:
    """The tokenizer of a model, as its `tokenizer.json` defines it.

    `size` is one more than the largest id. `special` are the ids that are not part of the text, such as the end of a
    row; `config` is what `tokenizer_config.json` adds. `library` is the object of the package tokenizers.
    """

    source: str
    size: int
    special: frozenset[int]
    config: TokenizerConfig
    library: Any

    def encode(self, text: str, *, special: bool = True) -> list[int]:
        """Ids of a text. `special` adds what the post-processor puts around a text, such as a start id.

        Names of special tokens in the text become these tokens. Raises SpecError E713 for text that is not Unicode.
        """
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            help = "check the encoding of the terminal or file that it comes from"
            fail("E713", "a prompt contains bytes that are not UTF-8", None, help=help)
        ids: list[int] = self.library.encode(text, add_special_tokens=special).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids without special tokens. Raises SpecError E762 for an id that the tokenizer does not have."""
        for id in ids:
            if self.library.id_to_token(id) is None:
                help = "use the tokenizer of the weights; `ban` in `decode` excludes ids without a token"
                fail("E762", f"{self.source} has no token with the id {id}", None, help=help)
        text: str = self.library.decode([id for id in ids if id not in self.special], skip_special_tokens=False)
        return text

    @property
    def end(self) -> int | None:
        """The id that ends a row by `tokenizer_config.json`; None if it does not say."""
        token = self.config.named.get("eos_token")
        found: int | None = None if token is None else self.library.token_to_id(token)
        return found


def read_tokenizer(path: str | Path) -> Tokenizer:
    """Read a `tokenizer.json`, or the one in a folder, with the configuration and chat template next to it.

    Raises SpecError E604 without the package tokenizers, E760 if there is no such file, E761 if one cannot be read.
    """
    given = Path(path)
    folder = given if given.is_dir() else given.parent
    beside = {name: folder / name for name in (CONFIG, TEMPLATE) if (folder / name).is_file()}
    return _read({TOKENIZER: given / TOKENIZER if given.is_dir() else given, **beside})


def bundle_tokenizer(bundle: Bundle) -> Tokenizer:
    """Read the tokenizer among the files of a bundle.

    Raises SpecError E760 if the bundle has none, and the others of `read_tokenizer`.
    """
    names = {Path(name).name for name in bundle.manifest.carried}
    if TOKENIZER not in names:
        help = f"build it with `--file {TOKENIZER}`, or name a tokenizer: `--tokenizer FILE`, in Python `tokenizer=`"
        fail("E760", f"the bundle has no {TOKENIZER}, which text needs", None, help=help)
    return _read({name: bundle.file(name) for name in (TOKENIZER, CONFIG, TEMPLATE) if name in names})


def _read(files: Mapping[str, Path]) -> Tokenizer:
    require("tokenizers")
    from tokenizers import Tokenizer as Library

    path = files[TOKENIZER]
    try:
        library = Library.from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        fail("E760", f"there is no tokenizer {path}", None, help=f"name a {TOKENIZER}, or a folder that holds one")
    except Exception as error:  # noqa: BLE001 - the package raises nothing narrower for a damaged file
        fail("E761", f"{path} is not a tokenizer: {error}", None)
    # A file may configure what suits training: rows cut or padded to one length.
    library.no_truncation()
    library.no_padding()
    known = library.get_added_tokens_decoder()
    return Tokenizer(
        source=path.name,
        size=max(library.get_vocab(with_added_tokens=True).values(), default=-1) + 1,
        special=frozenset(id for id, token in known.items() if token.special),
        config=read_config(files.get(CONFIG), files.get(TEMPLATE)),
        library=library,
    )
