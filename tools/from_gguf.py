"""Takes a Llama-like model out of its GGUF: weights, tokenizer and configuration as Hugging Face stores them.

    tools/from_gguf smollm2-135m FOLDER

fetches the model if needed and writes FOLDER with model.safetensors (dequantised, for the layout `huggingface`),
config.json, tokenizer.json, and tokenizer_config.json with the chat template. FOLDER must not exist. MODEL may also be
a .gguf file.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fetch_model import MODELS, FetchError, cache_folder, fetch

DTYPES = ("float32", "float16")


class ConversionError(Exception):
    """The GGUF cannot be converted; the message says why."""


def main(arguments: list[str]) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="tools/from_gguf", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL", help=f"a .gguf file, or one of: {', '.join(named())}")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the folder to write")
    parser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help="of the weights (default: %(default)s)")
    given = parser.parse_args(arguments)
    try:
        convert(source(given.model), given.folder, given.dtype)
    except (ConversionError, FetchError, OSError) as error:
        print(f"tools/from_gguf: {error}", file=sys.stderr)
        return 1
    print(given.folder)
    return 0


def named() -> list[str]:
    """Return the models that `tools/fetch_model.py` can fetch as a GGUF."""
    return [name for name, model in MODELS.items() if any(file.endswith(".gguf") for file in model.files)]


def source(model: str) -> Path:
    """Return the GGUF that MODEL names, fetched if needed. Raises ConversionError or FetchError."""
    if model in named():
        folder = fetch(model, MODELS[model], cache_folder())
        return next(folder / file for file in MODELS[model].files if file.endswith(".gguf"))
    if not Path(model).is_file():
        raise ConversionError(f"there is no file {model}, and no model of this name; known are {', '.join(named())}")
    return Path(model)


def convert(gguf: Path, folder: Path, dtype: str) -> None:
    """Write the folder: it appears whole or not at all. Raises ConversionError, or OSError if it cannot be written."""
    if folder.exists():
        raise ConversionError(f"{folder} exists; remove it or name another")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".from-gguf-") as scratch:
        whole = Path(scratch) / "model"
        whole.mkdir()
        write_tokenizer(gguf, whole)
        write_weights(gguf, whole, dtype)
        whole.rename(folder)


def write_weights(gguf: Path, folder: Path, dtype: str) -> None:
    """Write config.json and model.safetensors.

    A table that serves as the head too is written once. Raises ConversionError where a parameter of the model is not
    in the file.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    config = AutoConfig.from_pretrained(gguf.parent, gguf_file=gguf.name)
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config)
    # `from_pretrained` needs the package accelerate to read a GGUF; this is what it calls.
    tensors = load_gguf_checkpoint(str(gguf), return_tensors=True, model_to_load=empty)["tensors"]
    check_names(empty, set(tensors))
    config.architectures = [type(empty).__name__]
    config.dtype = dtype
    config.save_pretrained(folder)
    made = {name: tensor.to(getattr(torch, dtype)).contiguous() for name, tensor in tensors.items()}
    save_file(made, folder / "model.safetensors", metadata={"format": "pt"})


def check_names(model: Any, found: set[str]) -> None:
    """Raise ConversionError unless the tensors are the model's parameters; a tied head may be left out."""
    # `named_parameters` gives a shared tensor once, under its first name.
    wanted = {name for name, _ in model.named_parameters()}
    lacking, unknown = sorted(wanted - found), sorted(found - {*model.state_dict()})
    if lacking or unknown:
        raise ConversionError(f"the GGUF lacks {lacking[:3]} of the model, and has {unknown[:3]} that it does not know")


def write_tokenizer(gguf: Path, folder: Path) -> None:
    """Write tokenizer.json, and tokenizer_config.json with the chat template if there is one."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizer(gguf)
    tokenizer.save_pretrained(folder, save_jinja_files=False)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    # How it was loaded is of no use to who loads it next.
    kept = {key: value for key, value in config.items() if key not in ("is_local", "local_files_only")}
    path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def pre_tokenizer(gguf: Path) -> Any:
    """Return how text is split before merges, which transformers takes to be GPT-2's way for every GGUF with merges.

    Source: llama.cpp, src/llama-vocab.cpp, the regular expressions of `tokenizer.ggml.pre`. Raises ConversionError for
    a way that is not known here.
    """
    from tokenizers import pre_tokenizers
    from transformers.integrations.gguf import read_gguf_metadata

    # Its own reader is several times faster than that of the package gguf.
    entries, _ = read_gguf_metadata(str(gguf))
    name = entries.get("tokenizer.ggml.pre")
    by_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = pre_tokenizers.Digits(individual_digits=True)
    known = {"gpt-2": by_bytes, "smollm": pre_tokenizers.Sequence([digits, by_bytes])}
    if name not in known:
        raise ConversionError(f"`tokenizer.ggml.pre` is {name}; known are {', '.join(known)}")
    return known[name]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
