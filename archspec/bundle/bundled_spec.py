"""The spec of a bundle, with its weights stored as the bundle stores them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from archspec.diagnostics import fail
from archspec.quantising.activations import Grids, planned_grids
from archspec.quantising.plan import Plan, planned, written
from archspec.quantising.spec import quantised
from archspec.spec import Spec, load
from archspec.spec.claims import Claims, claims_of
from archspec.weights.bundled import PLAN


class PlanFile(BaseModel):
    """Formats of parameters, and grids of what products read, by path, with `*` for the number of a layer.

    `kv_cache` is the grid of what the cached step keeps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    formats: dict[str, str]
    activations: dict[str, str] = {}
    kv_cache: Literal["int8"] | None = None


def write_plan(plan: Plan, grids: Grids, *, rounds_kept: bool) -> str:
    """Return the text of the file of a plan."""
    activations = {"activations": dict(grids)} if grids else {}
    cache = {"kv_cache": "int8"} if rounds_kept else {}
    return json.dumps({"formats": written(plan), **activations, **cache}, indent=2) + "\n"


def read_plan(path: Path) -> PlanFile:
    """Return what a file of a plan says. Raises SpecError E630 for a file that is not one."""
    try:
        return PlanFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.errors()[0]["msg"]
        fail("E630", f"{path} is not a plan of quantised weights", None, notes=[str(reason)])


def bundled_spec(path: Path) -> Spec:
    """Load the spec of a bundle from its file. Raises SpecError where it does not load, E630 or E631 for its plan."""
    spec, plan = load(path), path.with_name(PLAN)
    if not plan.exists():
        return spec
    found = read_plan(plan)
    grids = planned_grids(spec.graph, found.activations)
    return quantised(spec, planned(spec.graph, found.formats), grids, rounds_kept=found.kv_cache is not None)


def bundled_claims(path: Path) -> Claims:
    """Load the claims of a bundle's spec, as `bundled_spec` does."""
    return claims_of(bundled_spec(path))
