"""Ids to measure the loss of quantised weights on: the beginning of a text that every Python has, its licence.

    tools/evaluation_ids smollm2-135m ids.npz

fetches the model if needed, for its tokenizer, and writes `ids` int64[1, 511] for `archspec build --evaluate ids.npz`.
MODEL may also be a .gguf file.
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fetch_model import FetchError
from from_gguf import ConversionError, named, source, write_tokenizer

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT = 511


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status."""
    import numpy as np

    parser = argparse.ArgumentParser(
        prog="tools/evaluation_ids", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", help=f"a .gguf file, or one of: {', '.join(named())}")
    parser.add_argument("file", metavar="FILE", type=Path, help="the .npz file to write")
    parser.add_argument("--count", type=int, default=COUNT, help="how many ids (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        ids = evaluation_ids(source(given.model), given.count)
    except (ConversionError, FetchError, OSError) as error:
        print(f"tools/evaluation_ids: {error}", file=sys.stderr)
        return 1
    np.savez(given.file, ids=ids)
    print(f"{given.file}: {ids.shape[1]} ids")
    return 0


def evaluation_ids(gguf: Path, count: int = COUNT) -> NDArray:
    """The first ids of the licence of Python, int64[1, count], by the tokenizer of a file."""
    import numpy as np

    from archspec.decoding.tokenizer import read_tokenizer

    text = Path(sysconfig.get_path("stdlib"), "LICENSE.txt").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        write_tokenizer(gguf, Path(folder))
        ids = read_tokenizer(folder).encode(text)
    return np.array([ids[:count]], np.int64)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
