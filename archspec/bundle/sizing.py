"""Choose the formats of weights within a size: what each loses alone is measured, and the least sum is taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from archspec.bundle.quantising import FLOATS, Quantising
from archspec.bundle.sources import SPEC, texts_of, whole_program
from archspec.bundle.weights import Weights
from archspec.diagnostics import fail
from archspec.engines.process import Progress, run_step
from archspec.engines.profiles import Profile
from archspec.quantising.sizing import chosen, options, stored_bytes, written_option


def sized(
    quantising: Quantising | None,
    folder: Path,
    profiles: tuple[Profile, ...],
    weights: Weights,
    layout: str | None,
    seed: int,
    progress: Progress,
) -> Quantising | None:
    """Give the weights that cost most more bits, as far as all weights take at most the size that is asked for.

    The floats that are written in the folder for this are those that are rounded later. Parameters that a wish for a
    node is about stay as they are. The losses of single weights are summed: what they cost together is measured later.

    Raises:
        SpecError: E636 if the plan takes more already, and those of `put_weights`.
    """
    if quantising is None or quantising.size is None or quantising.data is None:
        return quantising
    graph, size = quantising.floats.spec.graph, quantising.size
    ways = options(graph, quantising.plan, quantising.free)
    fixed = stored_bytes(quantising.rounded(quantising.plan).graph) - sum(each[0].bytes for each in ways.values())
    if chosen(ways, size - fixed) is None:
        least = fixed + sum(min(one.bytes for one in each) for each in ways.values())
        help = "ask for fewer bits, or for a larger size"
        fail("E636", f"the weights take {least:,} bytes at least, more than {size:,}", None, help=help)
    program = whole_program(quantising.floats.spec, profiles)
    made = quantising.with_floats(folder, program, weights, layout, seed, progress)
    (folder / FLOATS / SPEC).write_text(texts_of(quantising.floats)[SPEC], encoding="utf-8")
    job = {
        "spec": str(FLOATS / SPEC),
        "floats": made.program(program).to_json(),
        "data": str(quantising.data.resolve()),
        "called": quantising.data.name,
        "options": {path: [written_option(one) for one in each] for path, each in ways.items()},
    }
    worker = "archspec.bundle.worker"
    done = run_step(worker, "weigh", job, folder=folder, stage="measure the loss of single weights", progress=progress)
    losses = done.result["losses"]
    measured = {
        path: [replace(one, loss=loss) for one, loss in zip(each, losses[path], strict=True)]
        for path, each in ways.items()
    }
    best = chosen(measured, size - fixed)
    # The sizes are the same as before, when something suited.
    assert best is not None
    stored = {path: one.storage for path, one in best.items()}
    plan = {path: stored.get(path, one) for path, one in quantising.plan.items()}
    kept = {path: one for path, one in plan.items() if one is not None}
    if not kept:
        fail("E636", f"floats take no more than {size:,} bytes", None, help="leave out `--quantise`, or ask for less")
    return replace(made, plan=kept, stages=(*made.stages, done.stage))
