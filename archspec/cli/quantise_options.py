"""The options of quantised weights, which a command gets as one argument."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from archspec.cli.sizes import bytes_of

_OPTIONS = (
    click.option(
        "--quantise",
        multiple=True,
        metavar="[NODE=]FORMAT",
        help="Store weights as integers with scales: int8, int4:32 (a scale for each 32), stored (the integers of a "
        "GGUF file; another format is then for the rest), or float for those of one; repeatable, the innermost node "
        "counts.",
    ),
    click.option("--keep", multiple=True, metavar="NODE", help="With --quantise, a node whose weights stay floats."),
    click.option(
        "--evaluate",
        type=click.Path(path_type=Path),
        help="With --quantise, an .npz file with rows of inputs, and `labels` if known, on which the loss is measured.",
    ),
    click.option(
        "--at-most",
        multiple=True,
        metavar="MEASURE=LIMIT",
        help="Refuse to lose more: kl=0.02, disagreement, perplexity or accuracy; repeatable.",
    ),
    click.option(
        "--round-inputs",
        is_flag=True,
        help="With --evaluate, let runtimes round what they multiply with quantised weights to eight bits, which is "
        "fast; that loss is measured too.",
    ),
    click.option(
        "--size",
        metavar="BYTES",
        help="With --evaluate, let all weights take at most this, such as 113MB: formats are then the fewest bits, and "
        "the weights that cost most get more.",
    ),
)


def quantise_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--quantise`, `--keep`, `--evaluate` and more; the command gets them as `quantise`."""

    @wraps(command)
    def call(
        *,
        quantise: tuple[str, ...],
        keep: tuple[str, ...],
        evaluate: Path | None,
        at_most: tuple[str, ...],
        round_inputs: bool,
        size: str | None,
        **rest: Any,
    ) -> Any:
        from archspec.bundle.quantising import Quantisation

        wish = Quantisation(
            formats=quantise,
            keep=keep,
            evaluate=evaluate,
            at_most=at_most,
            round_inputs=round_inputs,
            size=None if size is None else bytes_of(size, "--size"),
        )
        return command(quantise=wish, **rest)

    for option in reversed(_OPTIONS):
        call = option(call)
    return call
