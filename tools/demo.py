"""MiniLM, from its published weights to a bundle that embeds sentences, compared with Hugging Face."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parent.parent
SPEC = "minilm-l6"
SENTENCES = [
    "A man is playing a guitar.",
    "Someone plays an instrument on stage.",
    "The stock market fell sharply on Monday.",
    "Share prices dropped at the start of the week.",
    "A recipe for bread with olives and rosemary, baked slowly in a hot oven until the crust is dark.",
]
TOLERANCE = 1e-5

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Check, compile, build, embed, compare; exit 1 where the embeddings differ by more than the tolerance."""
    parser = argparse.ArgumentParser(prog="tools/demo", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where to leave the bundle (default: a temporary folder)")
    folder = parser.parse_args().folder
    started = time.perf_counter()
    if folder is not None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        found = demo(folder)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            found = demo(Path(temporary) / SPEC)
    console.print(f"done in {time.perf_counter() - started:.0f} s")
    return 0 if found <= TOLERANCE else 1


def demo(folder: Path) -> float:
    """Run the whole way; returns the largest difference from Hugging Face."""
    model = Path(run(sys.executable, str(ROOT / "tools/fetch_model.py"), SPEC, quiet=True).strip().splitlines()[-1])
    archspec("check", SPEC)
    archspec("compile", SPEC, "-o", str(folder.with_suffix(".py")))
    targets = ("--target", "onnx", "--target", "tensorrt-rtx:sm86,sm89,sm120")
    weights = ("--weights", str(model), "--file", str(model / "tokenizer.json"))
    archspec("build", SPEC, "-o", str(folder), *weights, *targets)
    inputs = tokenize(model)
    source, result = folder.with_suffix(".in.npz"), folder.with_suffix(".out.npz")
    np.savez(source, **inputs)
    archspec("run", str(folder), "--inputs", str(source), "--output", str(result))
    with np.load(result, allow_pickle=False) as archive:
        embeddings = archive["embedding"]
    show_similarities(embeddings)
    difference = float(np.abs(embeddings - hugging_face(model, inputs)).max())
    console.print(
        f"largest difference from Hugging Face on the same weights: {difference:.1e} (at most {TOLERANCE:.0e})"
    )
    return difference


def archspec(*arguments: str) -> None:
    """Run a command of the command line, shown as a person would type it."""
    console.print(f"[bold]$ archspec {' '.join(arguments)}", markup=True)
    run(sys.executable, "-m", "archspec", *arguments)


def run(*command: str, quiet: bool = False) -> str:
    """Run a command; its output is shown, or returned when quiet. Ends the demo when it fails."""
    sys.stdout.flush()
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if quiet else None, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"tools/demo: {' '.join(command)} ended with {done.returncode}")
    return done.stdout or ""


def tokenize(model: Path) -> dict[str, NDArray[Any]]:
    """The sentences as ids [batch, length], padded at the right, and which of them are tokens."""
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(512)
    encoded = tokenizer.encode_batch(SENTENCES)
    ids = np.array([one.ids for one in encoded], dtype=np.int64)
    valid = np.array([one.attention_mask for one in encoded], dtype=bool)
    return {"ids": ids, "valid": valid}


def hugging_face(model: Path, inputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Sentence embeddings by Hugging Face: the masked mean of the last hidden state, normalised."""
    import torch
    from transformers import BertModel

    reference = BertModel.from_pretrained(model).eval()
    valid = torch.from_numpy(inputs["valid"])
    with torch.inference_mode():
        states = reference(torch.from_numpy(inputs["ids"]), attention_mask=valid.long()).last_hidden_state
    mean = (states * valid.unsqueeze(-1)).sum(1) / valid.sum(1, keepdim=True)
    result: NDArray[Any] = torch.nn.functional.normalize(mean, dim=-1).numpy()
    return result


def show_similarities(embeddings: NDArray[Any]) -> None:
    """Print cosine similarities of the sentences."""
    table = Table(title="cosine similarity", title_justify="left")
    table.add_column("")
    for number in range(len(SENTENCES)):
        table.add_column(str(number + 1), justify="right")
    for number, (sentence, row) in enumerate(zip(SENTENCES, embeddings @ embeddings.T, strict=True)):
        table.add_row(f"{number + 1}  {sentence}", *(f"{value:.3f}" for value in row))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
