"""A model type: a shipped spec, and how the keys of a configuration change it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any, ClassVar

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.common import COMMON
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.key_table import KeyTable
from archspec.interop.huggingface.keys import Keys
from archspec.record import record
from archspec.registry import Declared


@record
class Architecture:
    """One class of transformers of a model type, such as `BertModel`.

    `changes` make the base spec into it, and `keys` replace those of the type. `outputs` gives by each output of the
    spec the attribute of the original's output. `body` is the prefix that files of larger classes put before the names
    of this one's tensors, and that the base's layouts write: `vit.`.
    """

    changes: Changes = field(default_factory=dict)
    keys: Keys = field(default_factory=dict)
    outputs: Mapping[str, str]
    body: str | None = None


class ModelType:
    """What one `model_type` means, declared in `types/WORD.py`.

    Attributes:
        word: the `model_type`, with `_` for `-`.
        spelled: the `model_type` itself, where it is not the word.
        about: what the models are, with the paper: the `about` of the spec.
        base: the bare name of the shipped spec that configurations change.
        inputs: by each input of the spec, the argument of the original's `forward`.
        architectures: the classes of transformers that can be said; the base spec is the first.
        keys: what each key of the configuration means, in the order in which they change the base; that of an
            architecture stands in the place of the type's. What is not here is as `common` says, and comes before.
        defaults: what transformers takes for each key that `config.json` leaves out.
        aliases: by older name of a key, its name of today.
        reads_names: whether `told_by_names` tells something: files are opened for it alone.
        padding: by an input of ids, the one that says which of them are valid, where the original takes the id of
            padding itself, `pad_token_id`, for no position: it is given that id there, and nowhere else.
        unsaid: the paths of constants that no key says, such as the side of images where the original takes any.
        small: configurations for tests, as arguments of transformers' class: a small one, and changes of it.
    """

    word: ClassVar[str]
    spelled: ClassVar[str | None] = None
    about: ClassVar[str]
    base: ClassVar[str]
    inputs: ClassVar[Mapping[str, str]]
    architectures: ClassVar[Mapping[str, Architecture]]
    keys: ClassVar[Keys]
    defaults: ClassVar[Mapping[str, Any]]
    aliases: ClassVar[Mapping[str, str]] = {}
    padding: ClassVar[Mapping[str, str]] = {}
    reads_names: ClassVar[bool] = False
    unsaid: ClassVar[tuple[str, ...]] = ()
    small: ClassVar[tuple[Mapping[str, Any], ...]]

    def table(self, architecture: Architecture) -> KeyTable:
        """All keys of a configuration for an architecture: its own, the type's, and those of every configuration."""
        own = KeyTable(keys={**self.keys, **architecture.keys}, defaults=self.defaults, aliases=self.aliases)
        return own.over(COMMON)

    def told_by_names(self, architecture: str, given: JsonValue, names: Collection[str]) -> Changes:
        """What the names of the stored tensors change, where the configuration does not tell it."""
        return {}


MODEL_TYPES: Mapping[str, ModelType] = Declared("archspec.interop.huggingface.types", ModelType)
"""Every model type by its word; a file is loaded when its type is looked up."""
