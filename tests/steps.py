"""Build steps in this process, for tests that are not about the processes: to load torch anew takes seconds."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from archspec.engines.process import Progress, Stage, StageOutcome
from archspec.engines.serve import peak_bytes

_IN_BUNDLE = ("work", "step_work", "rank_work", "genai", "inspection", "quantising")
CALLERS = tuple(f"archspec.{name}" for name in ("engines.build", *(f"bundle.{one}" for one in _IN_BUNDLE)))


def run_here(
    worker: str,
    task: str,
    job: Mapping[str, Any],
    *,
    folder: Path,
    stage: str,
    progress: Progress | None,
    alone: bool = False,
) -> StageOutcome:
    """What `run_step` does, without its process: the job and its result are still plain data."""
    tell = progress or (lambda stage, share: None)
    tell(stage, None)
    begun = time.monotonic()
    noise = io.StringIO()
    with (
        contextlib.chdir(folder),
        _unlogged(),
        operators_read_once(),
        contextlib.redirect_stdout(noise),
        contextlib.redirect_stderr(noise),
        warnings.catch_warnings(),
    ):
        # What libraries print or warn of in a worker is not shown either.
        warnings.simplefilter("ignore")
        found = getattr(importlib.import_module(worker), task)(json.loads(json.dumps(job)))
    tell(stage, 1.0)
    measured = Stage(name=stage, seconds=round(time.monotonic() - begun, 3), peak_bytes=peak_bytes())
    return StageOutcome(result=json.loads(json.dumps(found)), stage=measured)


@contextlib.contextmanager
def operators_read_once() -> Iterator[None]:
    """The list from which an export to ONNX makes its table of operators is read once: it costs half a second."""
    from torch.onnx._internal.exporter import _registration

    with patch.object(_registration.onnxscript_apis, "get_torchlib_ops", _operators, create=True):
        yield


@cache
def _operators() -> Any:
    from onnxscript._framework_apis.torch_2_11 import get_torchlib_ops

    return get_torchlib_ops()


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Libraries log nothing: a handler may hold the stream that was standard error when it was made."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def steps_here() -> Iterator[None]:
    """Builds start no process."""
    with contextlib.ExitStack() as patches:
        for caller in CALLERS:
            patches.enter_context(patch(f"{caller}.run_step", run_here))
        yield
