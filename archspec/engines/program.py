"""What is to be built: an emitted module, its weights, and what it takes and gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec.engines.profiles import Profile, Shapes, declared, shapes
from archspec.model.ports import Interface
from archspec.model.written import WrittenInterface, read_type, written
from archspec.record import record


@record
class Program:
    """A Python file that defines `module`, a safetensors file with its state, its interface, and the sizes that
    engines are made for (none: all that the interface admits)."""

    source: Path
    module: str
    weights: Path
    interface: Interface
    profiles: tuple[Profile, ...] = ()

    def ranges(self) -> tuple[Shapes, ...]:
        """For each profile the least, typical and largest shape of every input."""
        profiles = self.profiles or (declared(self.interface.symbols),)
        return tuple(shapes(self.interface.input_ports, profile) for profile in profiles)

    def inside(self, folder: Path) -> Program:
        """The same program, its relative paths taken from a folder."""
        return replace(self, source=folder / self.source, weights=folder / self.weights)

    def to_json(self) -> dict[str, Any]:
        """The program as plain data, for another process."""
        paths = {"source": str(self.source), "module": self.module, "weights": str(self.weights)}
        profiles = [{name: list(sizes) for name, sizes in profile.items()} for profile in self.profiles]
        indexed = {name: [str(size) for size in sizes] for name, sizes in self.interface.indexed.items()}
        interface = written(self.interface).model_dump(mode="json")
        return {**paths, "interface": interface, "indexed": indexed, "profiles": profiles}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Program:
        """The program that `to_json` gave."""
        return Program(
            source=Path(data["source"]),
            module=data["module"],
            weights=Path(data["weights"]),
            interface=_interface(data),
            profiles=tuple(_profile(profile) for profile in data["profiles"]),
        )


def _interface(data: dict[str, Any]) -> Interface:
    found = WrittenInterface.model_validate(data["interface"]).read()
    indexed = {
        name: read_type(f"float[{', '.join(sizes)}]", found.symbols).shape for name, sizes in data["indexed"].items()
    }
    return replace(found, indexed=indexed)


def _profile(data: dict[str, list[int]]) -> Profile:
    return {name: (sizes[0], sizes[1], sizes[2]) for name, sizes in data.items()}
