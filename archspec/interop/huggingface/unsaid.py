"""What a folder of transformers says and a spec does not: it is written as usual, and told."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from archspec.interop.huggingface.generation import GENERATION
from archspec.spec import Spec

_ID = "_token_id"


def in_vocabulary(told: Mapping[str, Any], usual: Mapping[str, Any], whole: Collection[str] = ()) -> dict[str, Any]:
    """A configuration with null for each usual id beyond its vocabulary, of which transformers would warn.

    Args:
        told: the values that a spec tells, which stay but for an id of padding.
        usual: what transformers takes for keys that are left out; of inner configurations, too.
        whole: ids for which transformers takes no null; they become 0.
    """
    made = dict(told)
    size = told.get("vocab_size", usual.get("vocab_size", math.inf))
    for name, value in usual.items():
        if name.endswith("_config") and isinstance(told.get(name), Mapping):
            made[name] = in_vocabulary(told[name], value)
        elif name.endswith(_ID) and (name not in told or name == f"pad{_ID}"):
            value = told.get(name, value)
            unnamed = 0 if name in whole else None
            made |= {name: unnamed} if isinstance(value, int) and not 0 <= value < size else {}
    return made


def unsaid(spec: Spec, config: Mapping[str, Any], files: Collection[Path]) -> Iterator[str]:
    """Lines that tell what of an original is not in a spec; nothing for a spec whose folder has none of it.

    `config` is the configuration that was written, `files` are others that the folder holds.
    """
    names = []
    if "id2label" in config:
        names += ["the names of its classes (`id2label`)", "`problem_type`"]
    if config.keys() & {"vocab_size", "text_config"}:
        names += ["ids of tokens that it does not name (`pad_token_id` ...)"]
    if spec.decode is not None and all(file.name != GENERATION for file in files):
        names += [f"settings of generation other than `decode` ({GENERATION})"]
    if names:
        yield f"not as in an original: {', '.join(names)}; `--like FOLDER` takes them from its folder"
