"""An ONNX file as a runner, through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from archspec.diagnostics import did_you_mean, fail
from archspec.engines.registry import engine_of, read_target
from archspec.model.ports import Interface
from archspec.model.runner import Array, Arrays


class OnnxRunner:
    """Runs an ONNX file, whose inputs and outputs must have the declared names.

    Args:
        path: the file.
        outputs: names of the outputs to return. Other outputs of the file are dropped.
    """

    def __init__(self, path: Path, outputs: Iterable[str]) -> None:
        self.outputs = tuple(outputs)
        self._path = path
        (target,) = read_target("onnx")
        # The names of inputs and outputs come from the file, so an empty interface is enough.
        self._runner = engine_of(target).open(path, Interface(dims={}, inputs={}, outputs={}))

    def run(self, arrays: Arrays) -> dict[str, Array]:
        """Outputs by name. Raises SpecError E610 if ONNX Runtime fails, E730 if the file lacks an output."""
        found = self._runner.run(arrays)
        for name in self.outputs:
            if name not in found:
                help = did_you_mean(name, found, kind="outputs")
                fail("E730", f"{self._path.name} has no output `{name}`", None, help=help)
        return {name: found[name] for name in self.outputs}
