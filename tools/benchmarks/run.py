"""Times, ratios and memory of the compiler and of what it emits."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from check import check_rows
from decode import decode_rows
from diff import diff_rows
from experts import expert_rows
from forward import forward_rows
from imports import import_rows
from layers import layer_rows
from lsp import lsp_rows
from prover import prover_rows
from quantised import quantised_rows
from rich.console import Console
from rich.table import Table
from row import Row
from serve import serve_rows
from stages import stage_rows
from steps import step_rows
from training import training_rows

SECTIONS: dict[str, Callable[[], list[Row]]] = {
    "check": check_rows,
    "diff": diff_rows,
    "layers": layer_rows,
    "prover": prover_rows,
    "lsp": lsp_rows,
    "forward": forward_rows,
    "experts": expert_rows,
    "decode": decode_rows,
    "steps": step_rows,
    "quantised": quantised_rows,
    "import": import_rows,
    "build": stage_rows,
    "serve": serve_rows,
    "training": training_rows,
}


def main() -> None:
    """Run the sections that are asked for (all), print a table, and JSON after it or into a file."""
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of: {', '.join(SECTIONS)} (default: all)")
    parser.add_argument("--json", type=Path, help="write the JSON here instead of printing it")
    parser.add_argument("--threads", type=int, help="threads of every runtime; 1 is timed by the process's own clock")
    arguments = parser.parse_args()
    if arguments.threads:
        import torch

        torch.set_num_threads(arguments.threads)
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    rows = [row for name in arguments.sections or SECTIONS for row in SECTIONS[name]()]
    show(rows)
    data = {"machine": machine(), "rows": [row.data() for row in rows]}
    if arguments.json:
        arguments.json.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    else:
        print(json.dumps(data))


def machine() -> dict[str, str | int | None]:
    """What the figures were measured on."""
    import torch

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def show(rows: list[Row]) -> None:
    """Print the rows as a table."""
    table = Table(title="archspec bench", title_justify="left")
    for name in ("what", "figure", "bound", "holds", "detail"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row.cells())
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


if __name__ == "__main__":
    main()
