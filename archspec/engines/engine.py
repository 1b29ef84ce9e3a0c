"""The interface of an engine: which targets it has, how it builds them, how it opens artifacts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from archspec.engines.step_session import FunctionalSession, StepSession
from archspec.model.ports import DTypeName, Interface
from archspec.model.runner import Runner
from archspec.record import record

if TYPE_CHECKING:
    from archspec.engines.network.plan import NetworkPlan
    from archspec.engines.program import Program

OPSET = 18
OPSET_REASON = (
    "opset 18 is the lowest with every operator of the emitted module; ONNX Runtime, OpenVINO and TensorRT support it "
    "in every precision. From 23 on, Attention is built for some head sizes only, and masks that broadcast are refused"
)
OPSET_OF_INTEGERS = "opset {version} is the lowest with numbers of four and of eight bits in blocks"
_NOT_IMPORTED = (ImportError, OSError, RuntimeError, AttributeError)
"""Exceptions that importing a package raises if its native code does not fit the host or other packages."""
Form = Literal["onnx", "ort", "program"]
"""What is exported: an ONNX file, one with operators of ONNX Runtime's own, or a program of torch.export."""


def opset_reason(source: Path) -> str:
    """Return why an ONNX file has its opset."""
    import onnx

    imports = onnx.load(source, load_external_data=False).opset_import
    version = next(one.version for one in imports if not one.domain)
    return OPSET_REASON if version == OPSET else OPSET_OF_INTEGERS.format(version=version)


@record
class Target:
    """One thing to build: an engine's word and the GPUs it is for (none: any host)."""

    engine: str
    capabilities: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.engine}:{'+'.join(self.capabilities)}" if self.capabilities else self.engine

    @property
    def folder(self) -> str:
        """The name of the folder for its files."""
        return "-".join((self.engine, *self.capabilities))


@record
class Artifact:
    """The result of a build: file names in its folder (the one to open first), the tool with version, and its warnings.

    `host` is the kind of machine it is bound to (None: any), `network` the digest of the TensorRT network it was
    compiled from; `notes` explain choices made for it.
    """

    target: str
    dtype: DTypeName
    files: tuple[str, ...]
    tool: str
    version: str
    host: str | None = None
    network: str | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the artifact as plain data, for another process."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Artifact:
        """Return the artifact that `to_json` wrote."""
        lists = {name: tuple(data[name]) for name in ("files", "notes", "warnings")}
        return Artifact(**{**data, **lists})


class Engine(ABC):
    """A family of targets. One instance serves all of them and has no state."""

    word: ClassVar[str]
    form: ClassVar[Form] = "onnx"
    speed: ClassVar[int] = 0
    """Of artifacts verified to the same level, the one whose engine has the highest speed is chosen.

    On CPUs, the order is that measured by `tools/bench serve` for ViT-B/16, BERT-base and GPT-2; 9 is for GPUs.
    """
    extra: ClassVar[str | None] = None
    runtime: ClassVar[str]
    """The module that opens the artifacts."""
    steps: ClassVar[bool] = False
    """Whether the engine builds the cached step of a decoder too."""
    keeps_integers: ClassVar[bool] = False
    """Whether such a step may keep int8."""
    step_form: ClassVar[Form | None] = None
    """What it builds the step from, if that is not what it builds models from."""
    ranks: ClassVar[bool] = False
    """Whether an artifact may be that of one tensor rank, which exchanges values with others."""
    profiled: ClassVar[bool] = False
    """Whether an artifact runs only at the sizes of its profiles."""

    @abstractmethod
    def targets(self, options: str | None) -> tuple[Target, ...]:
        """Return the targets for the text after `word:` (None if there is none). Raises SpecError E601 or E602."""

    @abstractmethod
    def check(self, target: Target, dtype: DTypeName) -> None:
        """Raise SpecError E603, E604 or E611 for what this host cannot build; called before anything is built."""

    def check_profiles(self, target: Target, count: int) -> None:  # noqa: B027 - most engines take any number
        """Raise SpecError E625 for more profiles than one artifact can have."""

    def check_eights(self, target: Target) -> None:  # noqa: B027 - most engines compute with floats of eight bits
        """Raise SpecError E603 for a target that cannot compute with floats of eight bits."""

    @abstractmethod
    def build(self, program: Program, source: Path, target: Target, dtype: DTypeName, folder: Path) -> Artifact:
        """Build into the empty folder `folder`, in this process.

        `source` is the program exported in the engine's `form`, `dtype` the precision of the artifact. Returns the
        artifact with file names relative to `folder`. Raises SpecError E606.
        """

    @abstractmethod
    def obstacle(self, target: Target, artifact: Artifact) -> str | None:
        """Return why this host cannot open the artifact, None if it can."""

    def closed(self, target: Target, artifact: Artifact) -> str | None:
        """Return why this host cannot open the artifact, including a runtime that does not import; None if it can."""
        try:
            # Importing comes last, since it loads native libraries.
            found = self.obstacle(target, artifact)
            if found is None:
                import_module(self.runtime)
        except _NOT_IMPORTED as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            return f"the module {self.runtime} cannot be imported: {first}"
        return found

    @abstractmethod
    def open(self, path: Path, interface: Interface) -> Runner:
        """Open an artifact by its first file; `closed` must have returned None.

        The runner takes and returns arrays by the names of `interface`. Raises SpecError E610.
        """

    def open_step(self, path: Path, interface: Interface, updates: Mapping[str, str]) -> StepSession:
        """Open the step of a decoder by its first file; `closed` must have returned None.

        `updates` gives the output that replaces each input of the state that changes. Raises SpecError E610.
        """
        return FunctionalSession(runner=self.open(path, interface), updates=updates)


class RoundingEngine(Engine):
    """An engine whose runtime multiplies integers, and rounds to eight bits what it multiplies them with.

    Where it is opened with `rounded`, each group of inputs of a product with quantised weights is rounded as it comes,
    symmetric around zero: that is fast, and moves a product by half a percent or so. Otherwise it computes in float32.
    """

    @abstractmethod
    def open(self, path: Path, interface: Interface, *, rounded: bool = False) -> Runner:
        """Open an artifact; see `Engine.open`."""

    def open_step(
        self, path: Path, interface: Interface, updates: Mapping[str, str], *, rounded: bool = False
    ) -> StepSession:
        """Open the step of a decoder; see `Engine.open_step`."""
        return FunctionalSession(runner=self.open(path, interface, rounded=rounded), updates=updates)


class NetworkEngine(Engine):
    """An engine that compiles TensorRT networks; each is computed on the CPU before it is compiled."""

    profiled = True

    def compiles(self, target: Target) -> bool:
        """Whether a network is compiled here for this target, without the GPU that will run it."""
        return bool(target.capabilities)

    @abstractmethod
    def plan(self, program: Program, source: Path, dtype: DTypeName) -> NetworkPlan:
        """Return the network that would be compiled from a program's exported file `source`, as data.

        Raises SpecError E606 or E620.
        """
