"""`archspec generate`: token ids or text from a spec and weights, or from a bundle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import click

from archspec.cli.generate_text import print_texts, text_options, text_prompts
from archspec.cli.options import OF_BUNDLE, UNPROVED, seed_option, spec_options
from archspec.cli.output import print_json
from archspec.cli.verdicts import note_quantised, note_unproved

if TYPE_CHECKING:
    from archspec.bundle import Bundle
    from archspec.decoding import Decoder, Generated
    from archspec.model.checked import Checked

_EARLY: dict[str, bool | Literal["never"]] = {"yes": True, "no": False, "never": "never"}


@click.command("generate")
@spec_options
@UNPROVED
@text_options
@click.option(
    "--prompt-ids",
    "prompts",
    multiple=True,
    metavar="ID,ID,...",
    help="Token ids to continue, one row of the batch; repeatable.",
)
@click.option(
    "--artifact", help="Artifact of a bundle to run, or `module` (default: the best that this host can open)."
)
@click.option(
    "--inputs",
    type=click.Path(path_type=Path),
    help="An .npz file with the other inputs, such as an encoder's.",
)
@click.option("--weights", type=click.Path(path_type=Path), help="Safetensors (a file or a folder) or a GGUF file.")
@click.option("--weights-layout", "layout", help="Name of the weights layout (default: the one that matches).")
@click.option("--max-new", type=int, default=20, show_default=True, help="Maximum number of new ids per row.")
@click.option("--temperature", type=float, default=0.0, show_default=True, help="Sampling temperature; 0: greedy.")
@click.option("--top-k", type=int, help="Sample only from the K most likely ids.")
@click.option("--top-p", type=float, help="Sample only from the most likely ids that together reach this probability.")
@click.option(
    "--repetition-penalty",
    type=float,
    default=1.0,
    show_default=True,
    help="Penalty on ids that the row already has: positive logits are divided by it, negative ones multiplied.",
)
@click.option("--beams", type=int, default=1, show_default=True, help="Number of beams for each prompt.")
@click.option(
    "--length-penalty",
    type=float,
    default=1.0,
    show_default=True,
    help="Beam search compares log-probabilities divided by the length to this power.",
)
@click.option(
    "--early-stopping",
    type=click.Choice(["yes", "no", "never"]),
    default="no",
    show_default=True,
    help="Whether a search stops when as many sequences as beams have ended; never: only when none can score higher.",
)
@click.option("--min-new", type=int, default=0, show_default=True, help="Minimum number of new ids per row.")
@click.option("--stop", multiple=True, type=int, metavar="ID", help="Another id that ends a row; repeatable.")
@click.option("--log-probabilities", is_flag=True, help="With --json: also print the log-probability of each new id.")
@seed_option("Seed of the sampling and of the initial weights.")
def command(
    spec: str,
    overrides: tuple[str, ...],
    reduced: bool,
    as_json: bool,
    unproved: bool,
    texts: tuple[str, ...],
    sources: tuple[str, ...],
    chat: bool,
    system: str | None,
    tokenizer: Path | None,
    prompts: tuple[str, ...],
    artifact: str | None,
    inputs: Path | None,
    weights: Path | None,
    layout: str | None,
    seed: int,
    max_new: int,
    beams: int,
    length_penalty: float,
    early_stopping: str,
    min_new: int,
    stop: tuple[int, ...],
    log_probabilities: bool,
    **options: Any,
) -> None:
    """Generate text or ids from SPEC (a file or the name of a shipped spec) or a bundle, by its `decode` section."""
    from archspec.bundle import Bundle
    from archspec.bundle.read import is_bundle
    from archspec.checking import accepted
    from archspec.decoding import TextDecoder, decoder
    from archspec.decoding.beams import BeamSearch
    from archspec.decoding.generation import find_tokenizer
    from archspec.decoding.sampling import Sampling

    _check_output(as_json, log_probabilities)
    rows = text_prompts(texts, prompts, chat=chat, system=system) or [_ids(text) for text in prompts] or None
    how: dict[str, Any] = {"beams": beams, "length_penalty": length_penalty, "early_stopping": _EARLY[early_stopping]}
    limits: dict[str, Any] = {"max_new": max_new, "min_new": min_new, "stop": stop, "search": BeamSearch(**how)}
    source: Checked | Bundle
    if is_bundle(spec):
        source, module = _bundle(spec, overrides, reduced, weights, layout), None
    else:
        source = accepted(spec, set=overrides, reduced=reduced, unproved=unproved)
        module = _parameters(source, weights, layout, seed, artifact)
    known = None if not texts and not sources and tokenizer is None else find_tokenizer(source, tokenizer)
    made = decoder(source, module, artifact=artifact, unproved=unproved)
    limits |= {"sampling": Sampling(seed=seed, **options), "inputs": _inputs(made, source, inputs, sources)}
    faults = source.manifest.unproved if isinstance(source, Bundle) else source.faults
    begun = perf_counter()
    # What a beam search finds is known only at its end.
    if known is not None and not as_json and beams == 1:
        count, took = print_texts(TextDecoder(made, known).stream(rows, **limits)), perf_counter() - begun
    else:
        writer = made if known is None else TextDecoder(made, known)
        found = writer.generate(rows, log_probabilities=log_probabilities, **limits)
        took, count = perf_counter() - begun, _print(found, faults, as_json, texts)
    _note(made, seed if weights is None and module is not None else None)
    _note_source(source, faults, made)
    _note_speed(count, took)


def _note_source(source: Checked | Bundle, faults: Sequence[str], made: Decoder) -> None:
    """Note on standard error what does not hold, and what quantised weights cost."""
    from archspec.bundle.bundle import Bundle
    from archspec.bundle.report import step_of
    from archspec.decoding.artifact_steps import ArtifactSteps

    note_unproved(faults)
    if isinstance(source, Bundle):
        ran = step_of(made.runs.target) if isinstance(made.runs, ArtifactSteps) else ""
        note_quantised(source.manifest.quantised, ran)


def _note(made: Decoder, drawn: int | None) -> None:
    """Note on standard error which artifact ran, why there are no steps, and the seed of parameters that were drawn."""
    if made.chosen:
        click.echo(f"ran {made.chosen}", err=True)
    if made.refused is not None:
        click.echo(f"note: every step computes all positions again: {made.refused.message}", err=True)
    if drawn is not None:
        click.echo(f"no weights were given: the parameters are initialised with seed {drawn}", err=True)


def _note_speed(count: int, seconds: float) -> None:
    """Print on standard error how fast ids were made, the time for the prompts included."""
    click.echo(f"{count} ids in {seconds:.2f} s, {count / seconds:.1f} ids/s", err=True)


def _inputs(made: Decoder, source: Checked | Bundle, path: Path | None, texts: Sequence[str]) -> dict[str, Any] | None:
    """The other inputs from a file, with texts, if there are any, for the one that takes a source."""
    from archspec.cli.arrays import input_types
    from archspec.decoding.text_inputs import source_of
    from archspec.model.archives import read_arrays

    arrays = None if path is None else read_arrays(path, input_types(source))
    return arrays if not texts else {**(arrays or {}), source_of(made.plan): list(texts)}


def _print(rows: tuple[Generated, ...], faults: Sequence[str], as_json: bool, texts: Sequence[str]) -> int:
    """Print the new ids of each row on one line, or its text, and return the number of all ids.

    As JSON, also print prompts, as ids and as given with `--prompt`, texts, and whether rows ended by an end id.
    """
    if as_json:
        given: Sequence[str | None] = texts or [None] * len(rows)
        data = [_data(row, text) for row, text in zip(rows, given, strict=True)]
        print_json({"holds": not faults, "unproved": faults, "rows": data})
    else:
        for row in rows:
            click.echo(",".join(map(str, row.ids)) if row.text is None else row.text)
    return sum(len(row.ids) for row in rows)


def _data(row: Generated, given: str | None) -> dict[str, Any]:
    likely = {} if row.log_probabilities is None else {"log_probabilities": row.log_probabilities}
    score = {} if row.score is None else {"score": row.score}
    prompt = {} if given is None else {"prompt_text": given}
    text = {} if row.text is None else {"text": row.text}
    return {**prompt, "prompt": row.prompt, **text, "ids": row.ids, "ended": row.ended, **likely, **score}


def _ids(text: str) -> list[int]:
    """Ids from text such as `504,3575`. Raises click.BadParameter."""
    # `int` would also take `1_0` and the digits of other scripts.
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(re.fullmatch(r"-?[0-9]{1,40}", part) for part in parts):
        raise click.BadParameter(f"{text!r} is not a list of ids, such as 504,3575", param_hint="--prompt-ids")
    return [int(part) for part in parts]


def _bundle(folder: str, overrides: tuple[str, ...], reduced: bool, weights: Path | None, layout: str | None) -> Bundle:
    """Open a bundle. Raises click.UsageError for options that do not apply to one."""
    from archspec.bundle import open as open_bundle

    if overrides or reduced or weights is not None or layout is not None:
        raise click.UsageError(OF_BUNDLE)
    return open_bundle(folder)


def _check_output(as_json: bool, log_probabilities: bool) -> None:
    """Reject options of another form of output. Raises click.UsageError."""
    if log_probabilities and not as_json:
        raise click.UsageError("--log-probabilities needs --json")


def _parameters(checked: Checked, weights: Path | None, layout: str | None, seed: int, artifact: str | None) -> Any:
    """The module's parameters: loaded tensors by name, or a module initialised with the seed.

    Raises click.UsageError for an artifact, which only a bundle has.
    """
    if artifact is not None:
        raise click.UsageError("--artifact applies to a bundle")
    if layout is not None and weights is None:
        raise click.UsageError("`--weights-layout` requires `--weights`")
    from archspec.weights import load as load_weights

    if weights is not None:
        from archspec.weights.into_module import of_one_dtype

        return of_one_dtype(load_weights(checked.spec, weights, layout))
    import torch

    from archspec.lower import compile

    torch.manual_seed(seed)
    return compile(checked)
