"""The spec of a bundle, with its weights stored as the bundle stores them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError

from archspec.diagnostics import fail
from archspec.quantising.activations import Grids, planned_grids
from archspec.quantising.plan import Plan, planned, written
from archspec.quantising.spec import check_kept, quantised
from archspec.spec import Spec, load
from archspec.spec.claims import Claims, claims_of
from archspec.spec.files import is_file
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
    """Return what a file of a plan says. Raises SpecError E630 for a file that is not one, or that says nothing."""
    if not is_file(path):
        _refuse(path, "no such file")
    try:
        text = path.read_bytes()
        found = PlanFile.model_validate_json(text)
    except (OSError, ValidationError) as error:
        _refuse(path, str(error.strerror if isinstance(error, OSError) else error.errors()[0]["msg"]))
    json.loads(text, object_pairs_hook=lambda pairs: _check_names(path, pairs))
    if found == PlanFile(formats={}):
        _refuse(path, "nothing is stored or rounded by it")
    return found


def _check_names(path: Path, pairs: list[tuple[str, Any]]) -> None:
    """Raise SpecError E630 for an object that gives a name twice, of which readers take the last in silence."""
    twice = next((name for name, count in Counter(name for name, _ in pairs).items() if count > 1), None)
    if twice is not None:
        _refuse(path, f"`{twice}` is given more than once")


def _refuse(path: Path, reason: str) -> NoReturn:
    """Raise E630."""
    fail("E630", f"{path} is not a plan of quantised weights", None, notes=[reason])


def bundled_spec(path: Path) -> Spec:
    """Load the spec of a bundle from its file.

    Raises SpecError where it does not load, E630 to E632 for its plan.
    """
    spec, file = load(path), path.with_name(PLAN)
    if not file.exists():
        return spec
    found = read_plan(file)
    plan = planned(spec.graph, found.formats)
    grids = planned_grids(spec.graph, found.activations, plan)
    if found.kv_cache is not None:
        check_kept(spec)
    return quantised(spec, plan, grids, rounds_kept=found.kv_cache is not None)


def bundled_claims(path: Path) -> Claims:
    """Load the claims of a bundle's spec, as `bundled_spec` does."""
    return claims_of(bundled_spec(path))
