"""Contract and times on this machine's GPU, as tables and as JSON. Exit status: see tools/gpu_check."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from card import Card
from contract import OWN, judged
from result import Judged, Timed, plain
from rich.console import Console
from rich.table import Table
from ways import WAYS, Model, Unable, model

from archspec.analyses.cost import cost
from archspec.diagnostics import SpecError
from archspec.engines.module import torch_dtype

MODELS = ("vit-b16", "bert-base", "gpt2")
BATCHES = (1, 8, 64)
DTYPES = ("float32", "float16")
HOLDS, BROKEN, NO_DEVICE = 0, 1, 3


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for, print it, and say by the exit status how it went."""
    asked = _parser().parse_args(arguments)
    card = Card(device=asked.device)
    obstacle = card.obstacle()
    timings: list[Timed]
    verdicts: list[Judged]
    rates: dict[str, float] = {}
    if obstacle is None:
        # Products in float32 are to be float32, here as in the artifacts.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        rates = {dtype: card.matrix_rate(torch_dtype(dtype)) for dtype in asked.dtypes} | {"bytes": card.bandwidth()}
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
            timings = [row for name in asked.models for row in timed(name, card, asked, rates, Path(folder))]
        with tempfile.TemporaryDirectory() as folder:
            verdicts = [] if asked.no_contract else [r for m in asked.models for r in judged(m, card, Path(folder))]
    else:
        cases = [(m, d, b, w) for m in asked.models for d in asked.dtypes for b in asked.batches for w in WAYS]
        timings = [Timed(model=m, dtype=d, batch=b, way=w, reason=obstacle) for m, d, b, w in cases]
        pairs = [(name, target) for name in asked.models for target in OWN]
        verdicts = [Judged(model=name, target=target, status="cannot run", reason=obstacle) for name, target in pairs]
    report(card, obstacle, rates, timings, verdicts, asked.json)
    if obstacle is not None:
        return NO_DEVICE
    return BROKEN if any(row.status == "violated" for row in verdicts) else HOLDS


def timed(name: str, card: Card, asked: argparse.Namespace, rates: dict[str, float], folder: Path) -> Iterator[Timed]:
    """A row for each precision, way and batch of a model."""
    for dtype in asked.dtypes:
        made = model(name, dtype, card, folder, reduced=asked.reduced)
        told = made.spec.name
        for way, prepare in WAYS.items():
            try:
                run = prepare(made)
            except (Unable, RuntimeError, ImportError) as error:
                reason = " ".join(str(error).split())[:200]
                yield from (Timed(model=told, dtype=dtype, batch=b, way=way, reason=reason) for b in asked.batches)
                continue
            for batch in asked.batches:
                yield _timed(made, way, run, batch, rates)


def _timed(made: Model, way: str, run: object, batch: int, rates: dict[str, float]) -> Timed:
    assert callable(run)
    row = Timed(model=made.spec.name, dtype=made.dtype, batch=batch, way=way)
    symbols = made.spec.dims.values()
    largest = next((symbol.max for symbol in symbols if symbol.name == "batch"), 1)
    if batch > largest:
        return Timed(**{**vars(row), "reason": f"the spec admits batches up to {largest}"})
    try:
        inputs = made.inputs(batch)
        seconds = made.card.seconds(lambda: run(*inputs))
    except (RuntimeError, SpecError) as error:
        return Timed(**{**vars(row), "reason": " ".join(str(error).split())[:200]})
    sizes = {symbol.name: symbol.typical for symbol in symbols} | {"batch": batch}
    flops = cost(made.spec.graph).flops.value(sizes)
    weights = sum(tensor.nbytes for tensor in made.module.parameters())
    figures = {
        "milliseconds": seconds * 1e3,
        "matrix_share": flops / seconds / rates[made.dtype],
        "bandwidth_share": weights / seconds / rates["bytes"],
    }
    return Timed(**{**vars(row), **figures})


def report(
    card: Card,
    obstacle: str | None,
    rates: dict[str, float],
    timings: list[Timed],
    verdicts: list[Judged],
    file: Path | None,
) -> None:
    """Print two tables, and JSON after them or into a file."""
    name = card.name() if obstacle is None else f"no device: {obstacle}"
    machine = {"device": name, "torch": torch.__version__, "python": platform.python_version()}
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(f"{name}; torch {torch.__version__}, Python {platform.python_version()}")
    for what, rate in rates.items():
        told = (
            f"copies move {rate / 1e9:,.0f} GB/s" if what == "bytes" else f"{what} matrices: {rate / 1e12:,.2f} TFLOP/s"
        )
        console.print(told)
    heads = ("model", "dtype", "batch", "way", "ms", "of matrix rate", "weights, of bandwidth", "reason")
    console.print(_table("times", heads, [row.cells() for row in timings]))
    heads = ("model", "artifact", "contract", "claims", "reason")
    console.print(_table("contract, at reduced size", heads, [row.cells() for row in verdicts]))
    data = {"machine": machine, "rates": rates, "timings": plain(timings), "contract": plain(verdicts)}
    if file is not None:
        file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    else:
        print(json.dumps(data))


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tools/gpu_check", description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL", help="specs (default: %(default)s)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu tries the tool itself")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "float16", "bfloat16"), default=DTYPES)
    parser.add_argument("--reduced", action="store_true", help="time the small copies that the specs declare")
    parser.add_argument("--no-contract", action="store_true", help="times alone")
    parser.add_argument("--json", type=Path, help="write the JSON here instead of printing it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
