"""Import a model from what it is stored in: a folder or a configuration of Hugging Face, or a GGUF file."""

from __future__ import annotations

from pathlib import Path

from archspec.interop.gguf.imported import import_gguf
from archspec.interop.huggingface.imported import Imported, import_configuration
from archspec.weights.gguf.reading import SUFFIX


def import_model(source: str | Path, *, architecture: str | None = None, name: str | None = None) -> Imported:
    """Make a spec of a model: of its configuration, or of the metadata of a GGUF file; weights are not read.

    Every key is used, known to have no effect, or an error at the key.

    Args:
        source: a folder with `config.json`, such a file, or a `.gguf` file.
        architecture: the class of transformers to take, such as `BertModel`; left out, the file says.
        name: of the spec; left out, the name of the folder or of the GGUF file.

    Returns:
        the spec.

    Raises:
        SpecError: E801 to E805 as for a configuration; of a GGUF file E523 or E604 as for weights, and E806 to E808.
    """
    read = import_gguf if Path(source).suffix == SUFFIX else import_configuration
    return read(Path(source), architecture=architecture, name=name)
