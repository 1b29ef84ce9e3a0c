"""The interface of a target: what it can be asked for, how it is built, how it is opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from archspec.engines.interface import Interface
from archspec.record import record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from archspec.engines.program import Program

DTypeName = Literal["float32", "float16", "bfloat16"]
DTYPES: tuple[DTypeName, ...] = ("float32", "float16", "bfloat16")
OPSET = 18
"""The ONNX opset that ONNX Runtime and TensorRT both take; with masks guarded as the emitted module guards them."""


@record
class Target:
    """One thing to build: an engine's word, and the GPUs it is for (none: any host)."""

    engine: str
    capabilities: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.engine}:{'+'.join(self.capabilities)}" if self.capabilities else self.engine

    @property
    def folder(self) -> str:
        """Name of the folder that holds its files."""
        return "-".join((self.engine, *self.capabilities))


@record
class Artifact:
    """What a build left: file names in its folder (the one to open first), the tool, and what the tool warned of."""

    target: str
    dtype: DTypeName
    files: tuple[str, ...]
    tool: str
    version: str
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The artifact as plain data, for another process."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Artifact:
        """The artifact that `to_json` gave."""
        lists = {"files": tuple(data["files"]), "warnings": tuple(data["warnings"])}
        return Artifact(**{**data, **lists})


class Runner(Protocol):
    """An opened artifact."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by name, from all inputs by name in the dtypes and shapes that the interface gives."""


class Engine(ABC):
    """A family of targets. One instance serves all; it holds nothing."""

    word: ClassVar[str]
    extra: ClassVar[str | None] = None

    @abstractmethod
    def targets(self, options: str | None) -> tuple[Target, ...]:
        """The targets that the text behind `word:` names (None: there is none). Raises SpecError E601 or E602."""

    @abstractmethod
    def check(self, target: Target, dtype: DTypeName) -> None:
        """Refuse, before anything is built, what this host cannot build. Raises SpecError E603 or E604."""

    @abstractmethod
    def build(self, program: Program, onnx: Path, target: Target, dtype: DTypeName, folder: Path) -> Artifact:
        """Build into an empty folder, in the process that calls. `onnx` is the program exported in this dtype.

        Raises SpecError E606.
        """

    @abstractmethod
    def obstacle(self, target: Target) -> str | None:
        """Why this host cannot open such an artifact; None when it can."""

    @abstractmethod
    def open(self, path: Path, interface: Interface) -> Runner:
        """Open an artifact's first file. Raises SpecError E610."""
