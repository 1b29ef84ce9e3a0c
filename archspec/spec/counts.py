"""`counts`: what an architecture must count, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from archspec.algebra.dim import Dim
from archspec.diagnostics import Diagnostic, Label
from archspec.spec.spec import Spec


class Counted(Protocol):
    """What was counted."""

    @property
    def parameters(self) -> int:
        """Unique parameters."""
        ...

    @property
    def trainable(self) -> int:
        """Those that are not frozen."""
        ...

    @property
    def flops(self) -> Dim:
        """FLOPs, in the dims."""
        ...


def check_counts(spec: Spec, cost: Counted) -> tuple[Diagnostic, ...]:
    """An error E227 for each declared count that is not what was counted.

    Counts are those of the file's own constants: none is compared under `--set` or `reduced`.
    """
    expected = spec.counts
    if expected is None or not spec.as_written:
        return ()
    found: Mapping[str, int] = {
        "parameters": cost.parameters,
        "trainable": cost.trainable,
        "flops": cost.flops.typical(),
    }
    return tuple(
        _differs(spec, name, wanted, found[name])
        for name in found
        if (wanted := getattr(expected, name)) is not None and wanted != found[name]
    )


def _differs(spec: Spec, name: str, wanted: int, found: int) -> Diagnostic:
    counts = spec.tree.get("counts")
    node = counts.get(name) if counts is not None and hasattr(counts, "get") else None
    word = "many" if wanted > found else "few"
    return Diagnostic(
        code="E227",
        message=f"`{name}` is {found:,}, but {wanted:,} is declared",
        primary=None if node is None else Label(node.span, f"{abs(found - wanted):,} too {word}"),
        help=f"write {found} if the architecture is as intended",
    )
