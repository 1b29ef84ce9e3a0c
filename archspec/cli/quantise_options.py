"""The options of quantised weights, which a command gets as one argument."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import click

from archspec.cli.sizes import bytes_of

_OPTIONS = (
    click.option(
        "--quantise",
        multiple=True,
        metavar="[NODE=]FORMAT",
        help="Store weights as integers with scales: int8, int4:32 (a scale for each 32), fp8, stored (the integers of "
        "a GGUF file; another format is then for the rest), or float for those of one; repeatable, the innermost node "
        "counts. Or the quantised.json of a bundle, with its weights.",
    ),
    click.option(
        "--keep",
        multiple=True,
        metavar="NODE",
        help="With --quantise, a node whose weights stay floats, and that reads floats.",
    ),
    click.option(
        "--activations",
        multiple=True,
        metavar="[NODE=]GRID",
        help="With --quantise, round what linear maps and convolutions read, at scales from --calibrate: int8, fp8 "
        "(TensorRT-RTX from sm89 on), or float for one node; repeatable, the innermost node counts.",
    ),
    click.option(
        "--kv-cache",
        type=click.Choice(["int8"]),
        help="Keep eight bits of every number in a decoder's cache, at scales from --calibrate.",
    ),
    click.option(
        "--calibrate",
        type=click.Path(path_type=Path),
        help="With --activations or --kv-cache, an .npz file with rows of typical inputs.",
    ),
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
    """Add the options; the command gets them as `quantise`."""

    @wraps(command)
    def call(
        *,
        quantise: tuple[str, ...],
        keep: tuple[str, ...],
        activations: tuple[str, ...],
        kv_cache: Literal["int8"] | None,
        calibrate: Path | None,
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
            activations=activations,
            kv_cache=kv_cache,
            calibrate=calibrate,
            evaluate=evaluate,
            at_most=at_most,
            round_inputs=round_inputs,
            size=None if size is None else bytes_of(size, "--size"),
        )
        return command(quantise=wish, **rest)

    for option in reversed(_OPTIONS):
        call = option(call)
    return call
