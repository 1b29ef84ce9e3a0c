"""`archspec.generate`: token ids or text from a spec and its module, or from a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from archspec.bundle.bundle import Bundle
from archspec.checking.checks import SpecSource, accepted
from archspec.diagnostics import fail

MODULE = "module"
"""Names the emitted module among the artifacts of a bundle."""

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archspec.decoding.rows import Generated
    from archspec.decoding.stepping import Decoder
    from archspec.decoding.text import TextDecoder
    from archspec.decoding.tokenizer import Tokenizer

    Parameters = nn.Module | Mapping[str, Tensor]


def generate(
    source: SpecSource | Bundle,
    prompts: Any = None,
    *,
    max_new: int,
    module: Parameters | None = None,
    inputs: Mapping[str, Any] | None = None,
    temperature: float = 0.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    repetition_penalty: float = 1.0,
    beams: int = 1,
    length_penalty: float = 1.0,
    early_stopping: bool | Literal["never"] = False,
    min_new: int = 0,
    stop: Sequence[int] = (),
    log_probabilities: bool = False,
    tokenizer: str | Path | Tokenizer | None = None,
    artifact: str | None = None,
    unproved: bool = False,
) -> tuple[Generated, ...]:
    """Generate ids or text by the spec's `decode` section: `output` at the last position is fed back to `input`.

    Every step gives what the full forward pass gives at a row's last position, from a cache where the spec admits one.
    Prompts may have different lengths: what batching them requires is proved first. An encoded source is computed once.

    Args:
        source: a spec (loaded, a file, the name of a shipped one, or one that was accepted before), or a bundle.
        prompts: ids of each row, a list of lists or an array [rows, length]; ids of one row, a list; or text (see
            `text_decoder`). May be None if the spec has a start id.
        max_new: the maximum number of new ids per row; a row ends early with one of the spec's end ids.
        module: the module of the spec, or its state dict; not used for a bundle, which has its own weights.
        inputs: the spec's other inputs by name, such as the source of a translation, as many rows of arrays or texts.
        temperature, top_k, top_p, seed, repetition_penalty: how ids are chosen (see `Sampling`): the most likely at
            temperature 0, else drawn from the softmax of logits / temperature.
        beams, length_penalty, early_stopping: above 1 beam, the best of a beam search is given (see `BeamSearch`).
        min_new: the minimum number of new ids per row; no end id is chosen before.
        stop: ids that end a row, in addition to the end ids of the spec.
        log_probabilities: also give the log-probability of each new id.
        tokenizer, artifact: for text, a `tokenizer.json` or its folder; what runs of a bundle (see `decoder`).
        unproved: continue although something in the spec does not hold; not needed for a bundle built this way.

    Returns:
        for each row its prompt, the new ids, their text, whether it ended with an end id, the score of a beam search.

    Raises:
        SpecError: if the spec does not hold; E740 to E747 if it cannot generate, E711 to E720 for invalid inputs, E607
            for missing parameters or those of another spec; E604 and E760 to E763 for text.
    """
    from archspec.decoding.beams import BeamSearch
    from archspec.decoding.sampling import Sampling

    drawn = Sampling(
        temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, repetition_penalty=repetition_penalty
    )
    search = BeamSearch(beams=beams, length_penalty=length_penalty, early_stopping=early_stopping)
    how: dict[str, Any] = {"max_new": max_new, "min_new": min_new, "stop": stop, "log_probabilities": log_probabilities}
    made = _writer(source, module, prompts, inputs, tokenizer, artifact=artifact, unproved=unproved)
    return made.generate(prompts, inputs=inputs, sampling=drawn, search=search, **how)


def _writer(
    source: SpecSource | Bundle,
    module: Parameters | None,
    prompts: Any,
    inputs: Mapping[str, Any] | None,
    tokenizer: str | Path | Tokenizer | None,
    **more: Any,
) -> Decoder | TextDecoder:
    """What generates from these prompts and inputs: ids, or text for a tokenizer that is given or of a bundle."""
    from archspec.decoding.text_inputs import has_text
    from archspec.decoding.text_prompts import text_rows

    if tokenizer is None and text_rows(prompts) is None and not has_text(inputs):
        return decoder(source, module, **more)
    return text_decoder(source, module, tokenizer=tokenizer, **more)


def decoder(
    source: SpecSource | Bundle,
    module: Parameters | None = None,
    *,
    artifact: str | None = None,
    unproved: bool = False,
) -> Decoder:
    """A decoder for repeated or step-by-step generation: `for step in decoder(spec, module).stream(...)`.

    Of a bundle, the built step runs that is verified furthest of those that this host can open, or that of the target
    `artifact`; where there is none, or for `artifact="module"`, the emitted module. The attribute `chosen` says which.
    Other arguments are those of `generate`. Errors about the spec and the parameters are raised here, those about
    prompts, inputs and sampling when the decoder is used.

    Raises SpecError E744 for an artifact of a spec, which has none.
    """
    from archspec.decoding.stepping import Decoder

    if isinstance(source, Bundle):
        return _of_bundle(source, artifact, unproved=unproved)
    if artifact is not None:
        help = "give the bundle, `archspec.open(path)`, or leave out `artifact`"
        fail("E744", f"`artifact` is one of a bundle, but got a spec and `{artifact}`", None, help=help)
    checked = accepted(source, unproved=unproved)
    if module is None:
        help = "give `module=archspec.compile(spec)` with its weights loaded"
        fail("E607", f"the parameters of `{checked.spec.name}` are missing", None, help=help)
    return Decoder(checked, _state(module))


def text_decoder(
    source: SpecSource | Bundle,
    module: Parameters | None = None,
    *,
    tokenizer: str | Path | Tokenizer | None = None,
    artifact: str | None = None,
    unproved: bool = False,
) -> TextDecoder:
    """A decoder of text: `for step in text_decoder(bundle).stream("Once upon a time", max_new=20)`.

    Its prompts are texts; conversations, `[{"role": "user", "content": "..."}]`, which the chat template puts into
    words; or ids. Other arguments are those of `generate` and `decoder`.

    Raises SpecError E760 if there is no tokenizer, E761 if it cannot be read, and all of `decoder`.
    """
    from archspec.decoding.text import TextDecoder

    known = find_tokenizer(source, tokenizer)
    return TextDecoder(decoder(source, module, artifact=artifact, unproved=unproved), known)


def find_tokenizer(source: SpecSource | Bundle, given: str | Path | Tokenizer | None) -> Tokenizer:
    """The tokenizer that is given, else that of a bundle. Raises SpecError E604, E760 or E761."""
    from archspec.decoding.tokenizer import bundle_tokenizer, read_tokenizer

    if isinstance(given, (str, Path)):
        return read_tokenizer(given)
    if given is not None:
        return given
    if not isinstance(source, Bundle):
        help = "name a tokenizer.json or its folder: `--tokenizer FILE`, in Python `tokenizer=`"
        fail("E760", "text needs a tokenizer, but a spec has none", None, help=help)
    return bundle_tokenizer(source)


def _state(module: Parameters) -> Mapping[str, Tensor]:
    """The tensors of a module or of a state dict. Raises SpecError E607 for anything else, and for absent values."""
    tensors = _tensors_of(module)
    odd = next((name for name, one in tensors.items() if not hasattr(one, "is_meta")), None)
    if odd is not None:
        fail("E607", f"`{odd}` is a {type(tensors[odd]).__name__}, expected a tensor", None)
    empty = next((name for name, one in tensors.items() if one.is_meta), None)
    if empty is not None:
        help = 'allocate the module and load its weights: module.to_empty(device="cpu")'
        fail("E607", f"`{empty}` is on the device `meta` and has no values", None, help=help)
    return tensors


def _tensors_of(module: Parameters) -> Mapping[str, Tensor]:
    if isinstance(module, Mapping):
        return module
    if not hasattr(module, "state_dict"):
        fail("E607", f"expected a module or its state dict, got a {type(module).__name__}", None)
    # `torch.compile` wraps a module, and prefixes the names of its parameters.
    inner: nn.Module = getattr(module, "_orig_mod", module)
    state: dict[str, Tensor] = inner.state_dict()
    return state


def _of_bundle(bundle: Bundle, artifact: str | None, *, unproved: bool) -> Decoder:
    """A decoder of a bundle, which says what it runs.

    Raises:
        SpecError: E610 or E710 for the artifact, and all of `Decoder`.
    """
    from archspec.bundle.step_artifacts import OpenedSteps, opened_steps
    from archspec.decoding.artifact_steps import ArtifactSteps
    from archspec.decoding.stepping import Decoder

    checked = bundle.checked(unproved=unproved)
    found = None if artifact == MODULE else opened_steps(bundle, checked, artifact)
    if isinstance(found, OpenedSteps):
        runner = ArtifactSteps(steps=found.steps, interface=bundle.interface, target=found.choice.target)
        return Decoder(checked, runner, chosen=str(found.choice))
    reason = "requested" if found is None else "; ".join((found.message, *found.notes))
    return Decoder(checked, _weights(bundle), chosen=f"the emitted module: {reason}")


def _weights(bundle: Bundle) -> dict[str, Tensor]:
    from archspec.weights.files import read_weights

    with read_weights(bundle.path / bundle.manifest.weights.path) as file:
        return dict(file)
