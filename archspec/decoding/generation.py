"""`archspec.generate`: token ids from a spec and its module, or from a bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from archspec.bundle.bundle import Bundle
from archspec.checking.checks import SpecSource, accepted
from archspec.diagnostics import fail

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archspec.decoding.rows import Generated
    from archspec.decoding.stepping import Decoder

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
    unproved: bool = False,
) -> tuple[Generated, ...]:
    """Generate ids as the `decode` section of the spec defines: `output` at the last position is fed back to `input`.

    Every step computes what the full forward pass gives at a row's last position, from a cache where the spec has a
    step on new positions alone. Prompts may have different lengths: what batching them requires is proved first. Values
    that do not depend on the fed-back input, such as an encoded source, are computed once.

    Args:
        source: a spec (loaded, a file, the name of a shipped one, or one that was accepted before), or a bundle.
        prompts: ids of each row, a list of lists or an array [rows, length]; may be None if the spec has a start id.
        max_new: the maximum number of new ids per row; a row ends early with one of the spec's end ids.
        module: the module of the spec, or its state dict; not used for a bundle, which has its own weights.
        inputs: the spec's other inputs by name, such as the source of a translation, with as many rows.
        temperature, top_k, top_p, seed, repetition_penalty: how ids are chosen (see `Sampling`): the most likely at
            temperature 0, else drawn from the softmax of logits / temperature.
        beams, length_penalty, early_stopping: a beam search, above 1 beam (see `BeamSearch`): the best of the sequences
            that it keeps is the result.
        min_new: the minimum number of new ids per row; no end id is chosen before.
        stop: ids that end a row, beside the end ids of the spec.
        log_probabilities: also give the log-probability of each new id.
        unproved: continue although something in the spec does not hold; not needed for a bundle built this way.

    Returns:
        for each row its prompt, the new ids, whether it ended with an end id, and the score of a beam search.

    Raises:
        SpecError: if the spec does not hold; E740 to E747 if it cannot generate, E711 to E720 for invalid inputs, E607
            for missing parameters or those of another spec.
    """
    from archspec.decoding.beams import BeamSearch
    from archspec.decoding.sampling import Sampling

    drawn = Sampling(
        temperature=temperature, top_k=top_k, top_p=top_p, seed=seed, repetition_penalty=repetition_penalty
    )
    search = BeamSearch(beams=beams, length_penalty=length_penalty, early_stopping=early_stopping)
    limits: dict[str, Any] = {"max_new": max_new, "min_new": min_new, "stop": stop}
    return decoder(source, module, unproved=unproved).generate(
        prompts, inputs=inputs, sampling=drawn, search=search, log_probabilities=log_probabilities, **limits
    )


def decoder(source: SpecSource | Bundle, module: Parameters | None = None, *, unproved: bool = False) -> Decoder:
    """A decoder for repeated or step-by-step generation: `for step in decoder(spec, module).stream(...)`.

    Arguments are those of `generate`. Errors about the spec and the parameters are raised here, those about prompts,
    inputs and sampling when the decoder is used.
    """
    from archspec.decoding.stepping import Decoder

    if isinstance(source, Bundle):
        return Decoder(source.checked(unproved=unproved), _of_bundle(source))
    checked = accepted(source, unproved=unproved)
    if module is None:
        help = "give `module=archspec.compile(spec)` with its weights loaded"
        fail("E607", f"the parameters of `{checked.spec.name}` are missing", None, help=help)
    return Decoder(checked, _state(module))


def _state(module: Parameters) -> Mapping[str, Tensor]:
    """The tensors of a module or of a state dict. Raises SpecError E607 for anything else, and for absent values."""
    tensors = _tensors_of(module)
    odd = next((name for name, one in tensors.items() if not hasattr(one, "is_meta")), None)
    if odd is not None:
        fail("E607", f"`{odd}` is a {type(tensors[odd]).__name__}, expected a tensor", None)
    empty = next((name for name, one in tensors.items() if one.is_meta), None)
    if empty is not None:
        help = 'give the module memory and load its weights: module.to_empty(device="cpu")'
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


def _of_bundle(bundle: Bundle) -> dict[str, Tensor]:
    from archspec.weights.files import read_weights

    with read_weights(bundle.path / bundle.manifest.weights.path) as file:
        return dict(file)
