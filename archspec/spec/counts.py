"""The section `counts`: exact numbers of parameters and FLOPs that an architecture must have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from archspec.algebra.dim import Dim
from archspec.diagnostics import Diagnostic, Label
from archspec.spec.spec import Spec


class Counted(Protocol):
    """The numbers counted on a graph."""

    @property
    def parameters(self) -> int:
        """The number of parameters; shared ones count once."""
        ...

    @property
    def trainable(self) -> int:
        """The number of parameters that are not frozen."""
        ...

    @property
    def flops(self) -> Dim:
        """The number of FLOPs as a function of the dims."""
        ...


def check_counts(spec: Spec, cost: Counted) -> tuple[Diagnostic, ...]:
    """One error E227 for each declared count that differs from the counted number; FLOPs at the typical dims.

    Where all parameters are trained, the two counts of them are one number, and one error. Declared counts hold for the
    constants of the file: nothing is compared under `--set` or `reduced`.
    """
    expected = spec.counts
    if expected is None or not spec.as_written:
        return ()
    found: Mapping[str, int] = {
        "parameters": cost.parameters,
        "trainable": cost.trainable,
        "flops": cost.flops.typical(),
    }
    told: dict[tuple[int, int], list[str]] = {}
    for name, number in found.items():
        if (wanted := getattr(expected, name)) is not None and wanted != number:
            told.setdefault((wanted, number), []).append(name)
    return tuple(_differs(spec, names, wanted, number) for (wanted, number), names in told.items())


def _differs(spec: Spec, names: Sequence[str], wanted: int, found: int) -> Diagnostic:
    """The error for counts that are one number, at the first in the file."""
    counts = spec.tree.get("counts")
    node = counts.get(names[0]) if counts is not None and hasattr(counts, "get") else None
    word, verb = "many" if wanted > found else "few", "is" if len(names) == 1 else "are"
    return Diagnostic(
        code="E227",
        message=f"{' and '.join(f'`{name}`' for name in names)} {verb} {found:,}, but {wanted:,} is declared",
        primary=None if node is None else Label(node.span, f"{abs(found - wanted):,} too {word}"),
        help=f"write {found} if the architecture is as intended",
    )
