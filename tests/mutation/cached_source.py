"""Mistakes of caches in the emitted source: one expression of the cached step, at every place where it is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from archspec.checking import accepted
from archspec.contract.fitting import model_subject
from archspec.contract.verify import in_steps
from archspec.diagnostics import SpecError
from archspec.lower import emit
from archspec.lower.modules import class_in
from archspec.record import record
from archspec.spec import Spec
from archspec.spec.claims import claims_of
from tests.mutation.judging import Outcome

PATTERNS = {
    "write one place later": (r"\(past\[:, None\] \+ entries\)(?=\.clamp)", "(past[:, None] + entries + 1)"),
    "write each chunk at the beginning": (
        r"\(past\[:, None\] \+ entries\)(?=\.clamp)",
        "(0 * past[:, None] + entries)",
    ),
    "write one place further in the ring": (r"(?<=past\[:, None\] \+ entries)\) % size", " + 1) % size"),
    "keep what fills up a chunk in the ring": (r"counts\[:, None\] - 1", "counts[:, None] * 0 + new - 1"),
    "do not advance positions": (r"past=past \+ counts", "past=past + 0 * counts"),
    "advance by what fills up a chunk": (r"past=past \+ counts", "past=past + counts.max()"),
    "take the length before the new entries": (r"self\.longest \+ new", "self.longest + 1"),
    "do not count the length": (r"longest=length", "longest=length - 1"),
    "count causality from the chunk": (r"positions = past\[:, None\] \+", "positions = 0 * past[:, None] +"),
    "see empty places of the ring": (r"ring\.clamp\(min=-1\)", "ring.clamp(min=0)"),
    "see what lies beyond the limit": (
        r"torch\.where\(positions < limit, positions, -1\)",
        "positions.clamp(max=limit - 1)",
    ),
    "read another place of the ring": (r"- torch\.arange\(kept", "- 1 - torch.arange(kept"),
    "read another layer": (r"(zip\(\s*self\.layers,\s*)(\w+)", r"\1\2.flip(0)"),
    "write keys for values": (r"write\((\w*v_cache\w*), v\b", r"write(\1, k"),
    "compute memory from padding": (r"= (cache\.\w*valid\w*)", r"= ~\1"),
    "give logits of the last entry": (r"last = counts - 1", "last = counts * 0 - 1"),
}
"""What is written, and what stands in its place."""
OF_RINGS = {"see empty places of the ring", "see what lies beyond the limit", "read another place of the ring"}
"""Mistakes in a part of `row_positions` that runs only where a ring is kept."""


@record
class SourceMistake:
    """A changed source: what was done to it, and on which line."""

    operator: str
    line: int
    source: str


def source_mistakes(source: str) -> Iterator[SourceMistake]:
    """Every mistake at every place outside `forward`."""
    full = {line for first, last in _forwards(source) for line in range(first, last + 1)}
    names = PATTERNS if "def ring_slots_at(" in source else [name for name in PATTERNS if name not in OF_RINGS]
    for name in names:
        pattern, other = PATTERNS[name]
        for match in re.finditer(pattern, source):
            line = source.count("\n", 0, match.start()) + 1
            if line not in full:
                made = source[: match.start()] + match.expand(other) + source[match.end() :]
                yield SourceMistake(operator=name, line=line, source=made)


def _forwards(source: str) -> Iterator[tuple[int, int]]:
    """The first and the last line of each `forward`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == "forward":
            yield node.lineno, node.end_lineno or node.lineno


class SourceCourt:
    """Judges mistakes in the source of one spec."""

    def __init__(self, spec: Spec) -> None:
        self.spec, self.claims = spec, claims_of(spec)
        self.source = emit(accepted(spec))

    def mistakes(self) -> Iterator[SourceMistake]:
        """Every mistake at every place."""
        return source_mistakes(self.source)

    def outcome(self, source: str) -> Outcome:
        """What the contract says of a source: `missed` where it finds nothing wrong."""
        module = class_in(source, self.spec.name)()
        try:
            found = in_steps(self.claims, model_subject(module, self.claims, "mutant"), 0)
        except SpecError as error:
            return Outcome(status="caught", judge="contract", detail=error.diagnostics[0].message)
        if found.status == "violated":
            return Outcome(status="caught", judge="contract", detail=found.detail)
        return Outcome(status="missed", judge="contract", detail="every step equals the full forward")
