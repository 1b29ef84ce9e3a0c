"""Load a spec: from the name of a file to its graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from archspec.spec.elaborate import elaborate
from archspec.spec.files import locate
from archspec.spec.inheritance import inherited
from archspec.spec.overrides import apply_overrides, parse_overrides
from archspec.spec.reduced import reduced as shrunk
from archspec.spec.spec import Spec


def load(
    source: str | Path,
    *,
    set: Mapping[str, str] | Sequence[str] = (),
    reduced: bool = False,
) -> Spec:
    """Load a spec and build its graph.

    Args:
        source: a file, or the bare name of a shipped spec.
        set: overrides, `NAME=VALUE` for a constant and `a.b.c=VALUE` for any path.
        reduced: use the small copy that the file describes.

    Returns:
        the spec.

    Raises:
        SpecError: with every independent error.
    """
    path = locate(source)
    overrides = parse_overrides(set)
    tree = apply_overrides(inherited(path), overrides)
    if reduced:
        # The reduced constants replaced some overrides: apply them again, so that the command line has the last word.
        tree = apply_overrides(shrunk(tree), overrides)
    return elaborate(tree, path=path, reduced=reduced, as_written=not reduced and not overrides)
