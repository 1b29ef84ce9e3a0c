"""A folder of Hugging Face as a subject of the contract: the model that transformers makes of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archspec.bundle.expected import GivenReference
from archspec.contract.compiled import held_compiled
from archspec.contract.held import Recording
from archspec.contract.parity import MOST_PARAMETERS
from archspec.contract.protocol import Subject
from archspec.contract.recording import recorded
from archspec.contract.report import Finding
from archspec.contract.sizes import probe
from archspec.contract.torch_module import TorchRunner
from archspec.diagnostics import SpecError, fail
from archspec.interop.huggingface.bindings import Named, known
from archspec.interop.huggingface.double import Float64Runner, doubled
from archspec.layouts.report import and_more
from archspec.model.runner import Arrays
from archspec.model.samples import generate
from archspec.record import record
from archspec.spec.claims import Claims
from archspec.weights import read_weights

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_SHOWN = 4


@record(eq=False)
class Original:
    """A model of transformers whose inputs and outputs have the names of a spec.

    `outputs` are those of the spec that it has, `left_out` those that it does not return, and `missing` the parameters
    that the folder has no tensors for: they are NaN, so that no output that reads them is equal to anything. `padding`
    gives by an input of ids the one that says which are valid, where the original takes `pad` for no position.
    """

    subject: Subject
    outputs: tuple[str, ...]
    left_out: tuple[str, ...]
    missing: tuple[str, ...]
    padding: Mapping[str, str]
    pad: int | None

    def recorded(self, claims: Claims, seed: int = 0) -> list[Recording]:
        """What it gives on inputs that the promises generate. Raises SpecError E731 if it fails to run."""
        return recorded(claims, self.subject, self.outputs, seed, self._padded)

    def _padded(self, arrays: Arrays) -> Arrays:
        """The inputs with the id of padding where a row has no position, and nowhere else."""
        made = dict(arrays)
        for ids, valid in self.padding.items():
            assert self.pad is not None
            other = self.pad - 1 if self.pad else 1
            made[ids] = np.where(arrays[valid], np.where(made[ids] == self.pad, other, made[ids]), self.pad)
        return made

    def noted(self, found: Finding) -> Finding:
        """A finding with what was not compared, and with the parameters that are missing."""
        notes = [f"the original has no `{name}`" for name in self.left_out]
        if self.missing:
            notes.append(f"its folder has no tensors for {_some(self.missing)}")
        detail = "; ".join([*([found.detail] if found.detail else []), *notes])
        return replace(found, detail=detail)


def hold_to_original(
    claims: Claims, folder: Path, *, weights: Path | None = None, named: Named | None = None, seed: int = 0
) -> Finding:
    """Compile a spec and compare it with the model of a folder, on inputs that the promises generate.

    Args:
        claims: claims of a spec with a graph.
        folder: `config.json` and safetensors files; code in it is never run.
        weights: what is loaded into the spec; the folder itself if None.
        named: names in transformers where they are not the usual ones.
        seed: seed of the inputs.

    Raises:
        SpecError: E604 without transformers, E642 for a folder that it does not open, E730, E731 or E734 where inputs
            and outputs do not fit, and the errors of loading weights.
    """
    original = open_original(folder, claims, named)
    recordings = original.recorded(claims, seed)
    return original.noted(held_compiled(claims, weights or folder, recordings))


def reference_of(claims: Claims, folder: Path) -> GivenReference:
    """What the model of a folder gives on inputs with padding, where the promises admit any, in float64 if it can.

    Raises:
        SpecError: as `open_original` does, and E731 if the model fails to run.
    """
    import transformers

    original = open_original(folder, claims)
    recordings = original.recorded(claims)
    # The last ones are the longest.
    one = next((made for made in reversed(recordings) if made.note), recordings[-1])
    name = f"{original.subject.name} of transformers {transformers.__version__}"
    return GivenReference(name=name, arrays={**one.inputs, **(one.exact or one.outputs)})


def open_original(folder: Path, claims: Claims, named: Named | None = None) -> Original:
    """Open a folder with transformers as its users do: offline, without its code, from safetensors, in eval mode.

    Args:
        folder: `config.json` and safetensors files.
        claims: the inputs and outputs that the model is bound to.
        named: names in transformers where they are not the usual ones.

    Raises:
        SpecError: E604 without transformers, E642 for a folder that it does not open, E730 if it has none of the
            outputs, E734 if inputs cannot be bound.
    """
    if find_spec("transformers") is None:
        help = "pip install transformers, or give its outputs in a file: `archspec build --expect`"
        fail("E604", "the original is run by the package transformers", None, help=help)
    names = known(named or Named(), folder, claims)
    with _quiet():
        model, missing = _loaded(folder, claims, names)
    # What `**kwargs` takes has no effect, and would not be missed.
    own = [one.name for one in signature(model.forward).parameters.values() if one.kind is not one.VAR_KEYWORD]
    arguments = names.bound(claims, own)
    places = _places(model, claims, names, arguments)
    runner = _Runner(model, claims.inputs, places, arguments=arguments, picks=places)
    pad = getattr(model.config, "pad_token_id", None)
    if names.padding and not isinstance(pad, int):
        fail("E642", f"{folder} has no `pad_token_id`, off which the original reads padding", None)
    return Original(
        subject=Subject(name=type(model).__name__, runner=runner, exact=_exact(runner)),
        outputs=tuple(places),
        left_out=tuple(name for name in claims.outputs if name not in places),
        missing=missing,
        padding=names.padding,
        pad=pad if names.padding else None,
    )


class _Runner(TorchRunner):
    """Runs a model of transformers, which takes masks of attention as integers, and masks of patches in a row."""

    def tensors(self, arrays: Arrays) -> dict[str, Tensor]:
        """Inputs as tensors, in the dtypes that the model takes."""
        made = super().tensors(arrays)
        for name, tensor in made.items():
            if self.arguments[name].endswith("attention_mask"):
                made[name] = tensor.long()
            elif self.arguments[name] == "bool_masked_pos":
                # A spec has them in the grid of the patches.
                made[name] = tensor.flatten(1)
        return made

    def over(self, model: Any, floats: torch.dtype) -> _Runner:
        """A runner of another model with the same inputs and outputs."""
        options: dict[str, Any] = {"arguments": self.arguments, "picks": self.picks, "floats": floats}
        return _Runner(model, self.inputs, self.outputs, **options)


def _exact(runner: _Runner) -> Float64Runner | None:
    """The model in float64; None if it is too large, or cannot be built so."""
    assert isinstance(runner.model, nn.Module)
    if sum(one.numel() for one in runner.model.parameters()) > MOST_PARAMETERS:
        return None
    try:
        twin = doubled(runner.model)
    except Exception:  # noqa: BLE001 - a class of transformers may raise anything
        return None
    return Float64Runner(runner.over(twin, torch.float64), twin)


def _loaded(folder: Path, claims: Claims, named: Named) -> tuple[nn.Module, tuple[str, ...]]:
    """The model, with NaN for parameters that the folder does not have, and their names.

    Raises SpecError E642, and E522 or E523 for files of weights that cannot be read.
    """
    if not (folder / "config.json").is_file():
        help = "give a folder that transformers saved, with its safetensors files"
        fail("E642", f"{folder} has no config.json", None, help=help)
    # Files that are missing or cut off are told in our words.
    read_weights(folder).close()
    try:
        config = _config(folder)
        made = _class(config, folder, claims, named)
        model, info = made.from_pretrained(
            str(folder),
            config=config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            # It would name none of them; they are told below.
            ignore_mismatched_sizes=True,
            # In the dtype of the file, constants that the constructor computes would be rounded to it.
            dtype=torch.float32,
            # The fused multiplication of experts takes no float64.
            experts_implementation="eager",
        )
    except SpecError:
        raise
    except Exception as error:  # noqa: BLE001 - transformers raises errors of many types
        notes = [f"{type(error).__name__}: {line}" for line in str(error).strip().splitlines()[:3]]
        help = "it is opened offline, from safetensors alone, and without code of the folder"
        fail("E642", f"transformers does not open {folder}", None, notes=notes, help=help)
    _check_sizes(folder, info["mismatched_keys"])
    missing = tuple(sorted(info["missing_keys"]))
    for name, parameter in model.named_parameters():
        if name in missing:
            parameter.data.fill_(float("nan"))
    return model.eval().requires_grad_(False), missing


def _check_sizes(folder: Path, mismatched: Iterable[tuple[str, Sequence[int], Sequence[int]]]) -> None:
    """Raise SpecError E642 for tensors whose stored size is not that of the configuration."""
    wrong = [f"`{name}` is {[*stored]}, but config.json says {[*said]}" for name, stored, said in sorted(mismatched)]
    if wrong:
        help = "mend config.json, or take the weights that belong to it"
        fail("E642", f"in {folder}, {wrong[0]}{and_more(wrong)}", None, notes=wrong[1:_SHOWN], help=help)


def _config(folder: Path) -> Any:
    """The configuration of a folder. Raises what transformers raises."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    config.return_dict = True
    # The whole forward is compared, so that no cache is needed.
    config.use_cache = False
    return config


def _class(config: Any, folder: Path, claims: Claims, named: Named) -> Any:
    """The class of the model type that has the outputs, the body where it has them all, or the one of the folder."""
    import transformers

    if named.known_class is None and named.is_body(claims):
        return transformers.AutoModel
    names = [named.known_class] if named.known_class else config.architectures or []
    found = getattr(transformers, names[0], None) if names else None
    if found is None:
        word = f"the class `{names[0]}`, which transformers does not have" if names else "no class in `architectures`"
        fail("E642", f"config.json in {folder} names {word}", None)
    return found


def _places(model: nn.Module, claims: Claims, named: Named, arguments: Mapping[str, str]) -> dict[str, str | int]:
    """Where each output that the model has is in its result. Raises SpecError E730 or E731."""
    arrays, found = generate(claims, probe(claims), "whole", 0), dict[str, str | int]()
    for name in claims.outputs:
        for place in named.places(name):
            try:
                _Runner(model, claims.inputs, (name,), arguments=arguments, picks={name: place}).run(arrays)
            except SpecError as error:
                if error.diagnostics[0].code != "E730" or name in named.results:
                    raise
                continue
            found[name] = place
            break
    if not found:
        wanted = ", ".join(f"`{name}`" for name in claims.outputs)
        help = "say where it is: `--bind OUTPUT=NAME`"
        fail("E730", f"{type(model).__name__} returns none of the outputs {wanted}", None, help=help)
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers offline and silent; what fails is an error of its own."""
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    from transformers.utils import logging

    level, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if has_bars:
            logging.enable_progress_bar()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
