"""Heads that types share: classes of a text, classes of each token, and where an answer begins and ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.interop.huggingface.changes import Changes
from archspec.interop.huggingface.json_text import JsonValue
from archspec.interop.huggingface.keys import (
    Configuration,
    ConfigurationKey,
    DecimalKey,
    Keys,
    classes,
    dropout,
    part_of,
    reads,
    size,
)
from archspec.interop.huggingface.model_type import Architecture
from archspec.interop.huggingface.told import Told

FIRST: Changes = {"block": "pool", "input": "states", "kind": "first"}
DROPPED: Changes = {"block": "dropout", "rate": 0.1}
DROPPED_STATES: Changes = {"block": "dropout", "input": "states", "rate": 0.1}
_CLASSES = "constants.classes"
_LAYOUT = "weights.huggingface"


def product(activation: str) -> Changes:
    """A product with an activation, which keeps the number of features."""
    return {"block": "linear", "dim": "d_model", "activation": activation}


def classified(
    chain: Sequence[Changes], names: Mapping[int, str], *, skip: Sequence[str], keys: Keys, bias: bool = False
) -> Architecture:
    """An encoder with a score for each class, of the text where the chain pools, else of every token.

    Args:
        chain: what comes before the last product; it begins with the node that it reads, `pooled` or `states`.
        names: the original's names of modules by their place in the chain, that of the last product behind all others.
        skip: what files of other classes hold beside.
        keys: of this class, such as rates of dropout.
        bias: whether the last product writes out that it has a bias, where the defaults of the base have none.

    Returns:
        the class of the original.
    """
    first = chain[0]
    is_pooled = first["input"] == "pooled" or first["block"] == "pool"
    changes = {
        _CLASSES: 2,
        **_headed(
            {"logits": [*chain, {"block": "linear", "dim": "classes", **_biased(bias)}]},
            {"logits": "float[batch, classes]" if is_pooled else "float[batch, length, classes]"},
            gone={} if first["input"] == "pooled" else {"pooled": None},
        ),
        _LAYOUT: _layout({f"logits.{place}": name for place, name in names.items()}, skip, first["input"]),
    }
    return Architecture(changes=changes, keys={**classes(_CLASSES), **keys}, outputs={"logits": "logits"})


def answering(
    chain: Sequence[Changes], names: Mapping[int, str], *, skip: Sequence[str], keys: Keys, bias: bool = False
) -> Architecture:
    """An encoder with scores for where an answer begins and where it ends. Arguments are those of `classified`."""
    outputs = ("start_logits", "end_logits")
    last = {"block": "linear", "dim": 2, **_biased(bias)}
    scores = [*chain, last] if chain else {**last, "input": "states"}
    lines = {f"scores.{place}" if chain else "scores": name for place, name in names.items()}
    changes = {
        **_headed(
            {"scores": scores, **{output: _column(place) for place, output in enumerate(outputs)}},
            dict.fromkeys(outputs, "float[batch, length]"),
            gone={"pooled": None},
        ),
        _LAYOUT: _layout(lines, skip, "states"),
    }
    return Architecture(changes=changes, keys={**_TWO, **keys}, outputs={output: output for output in outputs})


def classified_last(body: Architecture) -> Architecture:
    """A decoder with a score for each class of the text, read at its last token that is not padding.

    The original tells padding by the id alone. Where it names none, it reads the last position, and takes one row.

    Args:
        body: the decoder without a head, whose rules speak of `states`.

    Returns:
        the class of the original.
    """
    layouts = [path for path in body.changes if path.startswith("weights.") and path.endswith(".map")]
    changes = {
        **body.changes,
        _CLASSES: 2,
        "graph": {
            "logits": [
                {"block": "pool", "input": "states", "kind": "last"},
                {"block": "linear", "dim": "classes", "bias": False},
            ]
        },
        "outputs": {"states": None, "logits": "float[batch, classes]"},
        **{path: {**body.changes[path], "logits.1.weight": "score.weight"} for path in layouts},
        **{path: _without_score(body.changes[path]) for path in (one.removesuffix(".map") for one in layouts)},
    }
    keys = {**body.keys, **classes(_CLASSES), "pad_token_id": reads(_padding, back=_told_padding)}
    return Architecture(changes=changes, keys=keys, outputs={"logits": "logits"})


def _without_score(layout: Changes) -> Changes:
    """A layout of the body, whose files may hold the scores, without that."""
    return {**layout, "skip": [name for name in layout["skip"] if name != "score"]}


def _padding(given: JsonValue, configuration: Configuration) -> Changes:
    if given.value is None:
        return {}
    pad = size("constants.pad", least=0).changes(given, configuration)
    return {**pad, "graph.logits.0.valid": "ids != pad", "reduced.constants.pad": 0}


def _told_padding(told: Told) -> int | float | None:
    return told.number("constants.pad")


def _biased(bias: bool) -> Changes:
    return {"bias": True} if bias else {}


def _column(place: int) -> list[Changes]:
    """One of the scores of every token, without the axis of the scores."""
    return [
        {"block": "slice", "input": "scores", "axis": 2, "start": place, "stop": place + 1},
        {"block": "rearrange", "pattern": "batch length score -> batch (length score)"},
    ]


def _headed(graph: Changes, outputs: Mapping[str, str], gone: Changes) -> Changes:
    """The changes that put a head on an encoder; every output of it depends on all tokens but padding."""
    rules = [
        f"{{{rule}: {{output: {output}, input: ids{where}}}}}"
        for output in outputs
        for rule, where in (("ignores", ", where: not valid"), ("sees", ""))
    ]
    return {
        "graph": {**gone, **graph},
        "outputs": {"states": None, "pooled": None, **outputs},
        "rules": rules,
    }


def _layout(lines: Mapping[str, str], skip: Sequence[str], read: str) -> Changes:
    """The layout with the lines of a head. Only what reads `pooled` has a pooler."""
    return {"skip": list(skip), "map": {**({} if read == "pooled" else {"pooled.1": None}), **lines}}


def _two(given: JsonValue, configuration: Configuration) -> Changes:
    (found,) = classes(_CLASSES)["id2label"].changes(given, configuration).values()
    if found != 2:
        said = given if given.value is not None else configuration["num_labels"]
        said.refuse(f"expected 2 labels, where an answer begins and where it ends, found {found}")
    return {}


_TWO: Keys = {"id2label": reads(_two), "num_labels": part_of("id2label")}


def rates(
    *places: int, node: str = "logits", otherwise: str | None = None, also: str | None = None
) -> ConfigurationKey:
    """A rate of dropout at places in the chain of a node.

    Args:
        places: the numbers in the chain, which stay where the rate is 0.
        node: the node.
        otherwise: the key that null stands for; without it, null is refused.
        also: a path that has the same rate, where 0 is not written.
    """
    paths = [f"graph.{node}.{place}.rate" for place in places]

    def read(given: JsonValue, configuration: Configuration) -> Changes:
        said = configuration[otherwise] if given.value is None and otherwise is not None else given
        made: dict[str, Changes] = {path: DecimalKey(path=path, below=1).changes(said, configuration) for path in paths}
        changes = {path: one[path] for path, one in made.items()}
        return changes if also is None else {**dropout(also).changes(said, configuration), **changes}

    return reads(read, back=lambda told: told.number(paths[0]))
