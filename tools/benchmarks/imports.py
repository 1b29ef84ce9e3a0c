"""SmolLM2's GGUF to a module that has run, against transformers' own reading of it: whole processes, alternating."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from row import Row

RUNS = 3
MIB = 2**20
PARAMETERS = 134_515_008
_IDS = "torch.tensor([[504, 3575, 282, 4649, 314]])"
_TOLD = "print(time.process_time() - began)\n"
_LOADED = (
    "import sys, time, torch, numpy, gguf, archspec\nfrom archspec.interop import import_model\nfile = sys.argv[1]\n"
    "began = time.process_time()\n"
)
OURS = (
    f"{_LOADED}spec = import_model(file).spec\n"
    "with torch.device('meta'): module = archspec.compile(spec).eval()\n"
    "archspec.load_weights(module, spec, file)\n"
    f"assert module({_IDS})[0, -1].argmax() == 7042\n{_TOLD}"
)
THEIRS = (
    "import sys, time, torch, gguf, transformers\nfrom pathlib import Path\n"
    "from transformers import LlamaForCausalLM, modeling_gguf_pytorch_utils\n"
    "file, began = Path(sys.argv[1]), time.process_time()\n"
    "made = transformers.AutoModelForCausalLM.from_pretrained(str(file.parent), gguf_file=file.name).eval()\n"
    f"assert made({_IDS}).logits[0, -1].argmax() == 7042\n{_TOLD}"
)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a process used: seconds of CPU, after its imports and in all, and its peak memory in MiB."""

    seconds: float
    whole: float
    peak: float


def import_rows() -> list[Row]:
    """The ratio of CPU times, where transformers can read GGUF, and the peak memory beside that of the imports."""
    file = _fetched()
    ours, theirs = list[Spent](), list[Spent]()
    for _ in range(RUNS):
        ours.append(_spent(OURS, file))
        # Without accelerate transformers reads no GGUF.
        theirs += [_spent(THEIRS, file)] if find_spec("accelerate") else []
    bare, size = _spent(_LOADED, file).peak, PARAMETERS * 4 / MIB
    peak = max(one.peak for one in ours)
    rows = [
        Row(
            what="peak memory from GGUF to a module that ran / its parameters in float32",
            value=(peak - bare) / size,
            unit="x",
            bound=1.3,
            detail=f"{peak:.0f} MB, of which {bare:.0f} for the imports alone; the model has {size:.0f} MB",
        )
    ]
    if not theirs:
        return [
            *rows,
            Row(what="GGUF to a module that ran", value=_median(ours), unit="s", detail="accelerate is missing"),
        ]
    return [
        Row(
            what="GGUF to a module that ran / transformers' own reading, CPU time after the imports",
            value=_median(ours) / _median(theirs),
            unit="x",
            bound=0.2,
            detail=f"median of {RUNS}, alternating; {_median(ours):.1f} s and {_median(theirs):.1f} s",
        ),
        Row(
            what="the same, CPU time of whole processes",
            value=median(one.whole for one in ours) / median(one.whole for one in theirs),
            unit="x",
        ),
        *rows,
    ]


def _median(spent: list[Spent]) -> float:
    return median(one.seconds for one in spent)


def _fetched() -> Path:
    """The GGUF, fetched if it is not there yet."""
    tool = Path(__file__).resolve().parents[1] / "fetch_model.py"
    done = subprocess.run([sys.executable, str(tool), "smollm2-135m"], capture_output=True, text=True, check=True)
    return next(Path(done.stdout.strip().splitlines()[-1]).glob("*.gguf"))


def _spent(code: str, file: Path) -> Spent:
    """Run code in a process of its own, by the operating system's own account."""
    command = [sys.executable, "-c", code, str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"a timed process failed: {code[:60]}")
    return Spent(seconds=float(told or 0), whole=usage.ru_utime + usage.ru_stime, peak=usage.ru_maxrss / 1024)
