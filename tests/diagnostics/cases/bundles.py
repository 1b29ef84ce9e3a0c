"""Bundles, and what is given at run time."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

import archspec
from archspec.bundle.building import check_carried
from archspec.bundle.choice import choose
from archspec.bundle.expected import kept
from archspec.bundle.files import check_files, entry_of
from archspec.bundle.holding import refuse_unequal
from archspec.bundle.manifest import FORMAT, KEY, read_manifest
from archspec.bundle.staging import check_output
from archspec.cli.init_command import command as init
from archspec.cli.verify_command import made
from archspec.cli.writing import write_whole
from archspec.contract.binding import bound
from archspec.contract.held import Recording, hold
from archspec.contract.protocol import Subject
from archspec.decoding import read_tokenizer
from archspec.decoding.chat import rendered
from archspec.decoding.sampling import Sampling
from archspec.decoding.sampling import choose as choose_id
from archspec.decoding.tokenizer_config import TokenizerConfig
from archspec.interop.huggingface.original import open_original
from archspec.model.archives import read_arrays
from archspec.model.inputs import prepare
from archspec.model.runner import FunctionRunner
from archspec.passes.incremental.incremental import incremental
from archspec.spec import load
from archspec.spec.claims import claims_of
from archspec.views.sites import sites_at
from tests.decoding.words import by_bytes, saved
from tests.diagnostics.cases.parts import INTERFACE, Case, decoder

IDS = np.ones((2, 6), dtype=np.int64)


def _given(**given: Any) -> Case:
    return lambda folder: prepare(INTERFACE, given, "float32")


def _outside_profiles(folder: Path) -> None:
    alone = {"batch": (1, 1, 1), "tokens": (2, 12, 32), "height": (16, 32, 64)}
    prepare(INTERFACE, {"ids": IDS}, "float32", [alone, {**alone, "batch": (4, 4, 8)}])


def _init(folder: Path) -> None:
    callback: Any = init.callback
    callback(name="gpt3", source=None, output=None, as_json=False)


def _text(folder: Path) -> None:
    (folder / "inputs.npz").write_text("ids: 1")
    read_arrays(folder / "inputs.npz", {})


def _full(folder: Path) -> None:
    (folder / "thesis.tex").write_text("")
    check_output(folder)


def _changed_file(folder: Path) -> None:
    (folder / "module.py").write_text("import torch\n")
    entries = {"module.py": entry_of(folder / "module.py")}
    (folder / "module.py").write_text("import os   \n")
    check_files(folder, entries)


def _other_outputs(folder: Path) -> None:
    spec = decoder(folder)
    wanted = np.random.default_rng(0).standard_normal((2, 6, 20))
    sizes = {"batch": 2, "length": 6}
    recording = Recording(inputs={"ids": IDS}, sizes=sizes, outputs={"logits": wanted}, exact={})
    swapped = FunctionRunner(function=lambda arrays: {"logits": wanted[:, :, ::-1].astype(np.float32)})
    refuse_unequal(hold(claims_of(spec), Subject(name="module", runner=swapped), [recording]), "ref.npz")


def _other_names(folder: Path) -> None:
    with kept({"input_ids": IDS, "logits": np.zeros((2, 6, 20))}, decoder(folder)):
        pass


def _no_folder(folder: Path) -> None:
    open_original(folder / "original", claims_of(decoder(folder)))


def _outside(folder: Path) -> None:
    entry: Any = SimpleNamespace(sha256="", bytes=0)
    check_files(folder, {"../secrets.txt": entry})


def _none_to_run(folder: Path) -> None:
    report: Any = None
    choose([], report, "inductor")


def _generate(prompts: Any, **more: Any) -> Case:
    options = {"max_new": 3, **more}

    def case(folder: Path) -> None:
        spec = decoder(folder)
        archspec.generate(spec, prompts, module=archspec.compile(spec), **options)

    return case


def _specs(**change: Any) -> Case:
    def case(folder: Path) -> None:
        spec = decoder(folder, **change)
        archspec.generate(spec, [[1]], max_new=3, module=archspec.compile(spec))

    return case


def _no_decode(folder: Path) -> None:
    spec = load("bert-base", reduced=True)
    archspec.generate(spec, [[1]], max_new=1, module=archspec.compile(spec))


def _no_step(folder: Path) -> None:
    incremental(decoder(folder, change={"mask: causal": "mask: causal, scale: 1/length"}).graph, "ids")


def _labels(folder: Path) -> None:
    from archspec.views.attention_weights import _labels

    _labels(["the", "cat"], None, {}, None, 0, 3, "queries")  # type: ignore[arg-type]


def _large(folder: Path) -> None:
    from archspec.views.attention_weights import _check_size

    _check_size(np.zeros((1, 4, 5000)), "states.layers.0.attention")


def _damaged_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("the, cat")
    read_tokenizer(folder / "tokenizer.json")


def _other_tokenizer(folder: Path) -> None:
    spec = decoder(folder, change={"end: none": "end: 19"})
    words = saved(folder, by_bytes(), {"eos_token": "<end>"})
    archspec.generate(spec, "the", module=archspec.compile(spec), max_new=1, tokenizer=words)


CASES: dict[str, Case] = {
    "E640": _other_outputs,
    "E641": _other_names,
    "E642": _no_folder,
    "E701": _init,
    "E702": lambda folder: write_whole(folder / "none" / "model.py", "import torch\n"),
    "E703": _text,
    "E704": _full,
    "E705": lambda folder: archspec.open(folder),
    "E706": lambda folder: read_manifest(json.dumps({KEY: FORMAT + 1})),
    "E707": lambda folder: read_manifest(json.dumps({KEY: FORMAT, "digest": "0" * 64})),
    "E708": _changed_file,
    "E709": _outside,
    "E710": _none_to_run,
    "E711": _given(ids=IDS, idx=IDS),
    "E712": _given(),
    "E713": _given(ids=IDS.astype(np.float32)),
    "E714": _given(ids=IDS[0]),
    "E715": _given(ids=IDS, valid=np.ones((2, 5), dtype=bool)),
    "E716": _given(ids=np.ones((2, 40), dtype=np.int64)),
    "E717": _given(ids=IDS, pixels=np.zeros((2, 3, 40, 8))),
    "E718": _given(ids=np.array([[1, 50], [-1, 2]])),
    "E719": _given(ids=IDS[:, :3], valid=np.array([[True, True, False], [False, True, True]])),
    "E720": _given(ids=IDS[:, :3], segments=np.array([[0, 1, 1], [0, 2, 1]], dtype=np.int32)),
    "E721": lambda folder: check_carried([Path("vocab.txt")]),
    "E722": _given(ids=IDS, pixels=np.where(np.arange(8) == 5, np.nan, np.zeros((2, 3, 32, 8)))),
    "E723": _outside_profiles,
    "E733": lambda folder: made("archspec.no_such_module:model"),
    "E734": lambda folder: bound(lambda input_ids, attention_mask: input_ids, ["input_ids", "valid"]),
    "E740": _no_decode,
    "E741": _generate([[1], []]),
    "E742": _generate([[1] * 15]),
    "E743": _specs(block="transformer", mask="all"),
    "E744": lambda folder: Sampling(temperature=-1, top_k=0, top_p=2),
    "E745": _specs(
        change={"graph:": "  p: float[batch, length, d]\ngraph:\n  s: source + p", "input: source": "input: s"}
    ),
    "E746": _specs(change={"start: none": "start: 20"}),
    "E747": lambda folder: choose_id(torch.full((1, 4), float("nan")), Sampling(), []),
    "E748": _no_step,
    "E751": lambda folder: sites_at(decoder(folder), "sttes.layers.0"),
    "E752": _large,
    "E753": _labels,
    "E760": _generate("Once upon a time"),
    "E761": _damaged_tokenizer,
    "E762": _other_tokenizer,
    "E763": lambda folder: rendered(TokenizerConfig(named={}), [{"role": "user", "content": "Hello"}]),
}
