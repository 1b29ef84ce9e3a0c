"""`archspec.generate`: ids from a spec and a module, or from a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
    unproved: bool = False,
) -> tuple[Generated, ...]:
    """Generate ids as the spec's `decode` section says: `output` is read at the last position and fed to `input`.

    Every step gives what the full forward gives at a row's last position. Prompts may have different lengths: what that
    needs is proved of the graph first, and where it cannot be, rows of one length are run together. Values that do not
    depend on what is fed back, such as an encoded source, are computed once.

    Args:
        source: a spec (loaded, a file, the name of a shipped one, or one that was accepted before), or a bundle.
        prompts: ids for each row, a list of lists or an array [rows, length]; left out where the spec has a start id.
        max_new: how many ids a row gets at most; it gets fewer where one of the spec's end ids comes.
        module: the module of the spec, or its state dict; a bundle has its own.
        inputs: the spec's other inputs by name, such as the source of a translation, with as many rows.
        temperature: 0 takes the likeliest id; above, ids are drawn from the softmax of logits / temperature.
        top_k: draw among the k likeliest alone.
        top_p: draw among the likeliest that together reach this probability, after `top_k`.
        seed: of the random numbers; each row has a stream of its own.
        unproved: go on although something in the spec does not hold; a bundle built so needs no second word.

    Returns:
        for each row its prompt, the new ids, and whether an end id came.

    Raises:
        SpecError: where the spec does not hold; E740 to E747 for what cannot be generated, E711 to E720 for inputs,
            E607 for another's parameters.
    """
    from archspec.decoding.sampling import Sampling

    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    return decoder(source, module, unproved=unproved).generate(
        prompts, max_new=max_new, inputs=inputs, sampling=sampling
    )


def decoder(source: SpecSource | Bundle, module: Parameters | None = None, *, unproved: bool = False) -> Decoder:
    """What generates again and again, or step by step: `for step in decoder(spec, module).stream(...)`.

    Arguments and errors are those of `generate`.
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
    if isinstance(module, Mapping):
        return module
    # torch.compile wraps a module, and calls its parameters by other names.
    inner: nn.Module = getattr(module, "_orig_mod", module)
    state: dict[str, Tensor] = inner.state_dict()
    return state


def _of_bundle(bundle: Bundle) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    tensors: dict[str, Tensor] = load_file(bundle.path / bundle.manifest.weights.path)
    return tensors
