"""From a spec to the text of its PyTorch module."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from archspec.lower.docs import Header
from archspec.lower.errors import LoweringError
from archspec.lower.module_file import module_file
from archspec.passes.base import run_passes
from archspec.passes.hoist_masks import HoistMasks
from archspec.spec.spec import Spec


def emit(spec: Spec) -> str:
    """The PyTorch file of a spec: formatted, importing torch and the standard library alone.

    Its last class is the model, which takes the spec's inputs in order, those with a default last. The same spec gives
    the same text. Raises SpecError E501 or E502 for what no module can express.
    """
    promises = {name: given.padding for name, given in spec.inputs.items() if given.padding != "any"}
    defaults = {name: given.default for name, given in spec.inputs.items() if given.default is not None}
    graph = run_passes(spec.graph, (HoistMasks(promises=promises),)).graph
    header = Header(name=spec.name, about=spec.about or "", version=_version(), digest=spec.digest)
    try:
        return module_file(graph, header, defaults)
    except LoweringError as error:
        error.refuse()


def _version() -> str:
    try:
        return version("archspec-compiler")
    except PackageNotFoundError:
        return "(not installed)"
