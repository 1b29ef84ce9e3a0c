"""Draft lines of a map for tensors that no line maps, from shapes and similar names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from archspec.layouts.operations import Shape
from archspec.record import record

# Only whole parts between dots: the 2 of `w2` belongs to a word.
_NUMBER = re.compile(r"(?<![^.])[0-9]+(?![^.])")
_WORD = re.compile(r"[a-z]+|[0-9]+")
_ALIKE = {
    word: number
    for number, words in enumerate(
        (
            ("q", "query", "wq"),
            ("k", "key", "wk"),
            ("v", "value", "wv"),
            ("out", "o", "wo", "output", "proj"),
            ("up", "fc1", "linear1", "intermediate", "wi", "w3", "fc"),
            ("down", "fc2", "linear2", "w2"),
            ("gate", "w1"),
            ("norm", "ln", "layernorm", "layer_norm"),
            ("table", "wte", "word", "embed", "tok", "token", "tokens", "embedding", "embeddings"),
            ("positions", "wpe", "position", "pos"),
            ("types", "type"),
            ("feed", "forward", "mlp", "ffn", "ff"),
            ("attention", "attn", "self"),
            ("cross", "encdecattention", "crossattention", "multihead"),
            ("memory", "encoder"),
            ("states", "decoder", "transformer", "model"),
            ("final", "last"),
            ("weight", "gamma", "scale"),
            ("bias", "beta"),
            ("logits", "head", "lm", "classifier"),
        )
    )
    for word in words
}
"""Words that mean the same in the names of published checkpoints."""
_FUSED = (("q", "k", "v"), ("gate", "up"), ("k", "v"))


@record
class TensorGroup:
    """Tensors whose names differ only in numbers.

    `pattern` is the name with `*` for the numbers, `shape` their common shape, `names` the names by their numbers.
    """

    pattern: str
    shape: Shape
    names: Mapping[tuple[int, ...], str]


@record
class DraftLine:
    """One line of a draft.

    `ours` are the groups that the line produces (several for a split), `theirs` the group it reads, `operations` the
    operations as a line writes them, `alike` the score by which drafts are ranked: larger is more likely.
    """

    ours: tuple[TensorGroup, ...]
    theirs: TensorGroup
    operations: str
    alike: float

    @property
    def taken(self) -> dict[str, str]:
        """Map the first of our names to the name of theirs with the same numbers."""
        first = self.ours[0].names
        return {first[index]: name for index, name in self.theirs.names.items() if index in first}

    def __str__(self) -> str:
        ours = joined([group.pattern for group in self.ours])
        their = self.theirs.pattern
        return f"{ours}: {{from: {their}, {self.operations}}}" if self.operations else f"{ours}: {their}"


def draft(ours: Mapping[str, Shape], theirs: Mapping[str, Shape]) -> tuple[DraftLine, ...]:
    """Return lines of a map for unmapped tensors of ours and theirs, such as `source.table: wte.weight`.

    `ours` and `theirs` are shapes by name. Tensors are candidates if their shapes agree: unchanged, transposed, with
    axes of size 1 added or removed, stacked, or split into q, k and v or gate and up. Among candidates the most similar
    names are chosen, and each tensor is used at most once. A draft must be read before it is used: shapes cannot tell q
    from k.
    """
    left = _groups(ours)
    # Among equals the text decides, so that drafts are reproducible.
    found = sorted(_candidates(left, _groups(theirs)), key=lambda line: (-line.alike, str(line)))
    lines: list[DraftLine] = []
    used: set[str] = set()
    # The best come first: a line is kept if no better one uses its tensors.
    for line in found:
        # Names of both sides share one set; the prefix keeps a name that occurs on both sides apart.
        names = {f"ours {name}" for group in line.ours for name in group.names.values()}
        names.update(line.theirs.names.values())
        if not used & names:
            used |= names
            lines.append(line)
    order = {group.pattern: number for number, group in enumerate(left)}
    lines.sort(key=lambda line: order[line.ours[0].pattern])
    return tuple(_all_transposed(lines))


def _all_transposed(lines: Sequence[DraftLine]) -> list[DraftLine]:
    """Transpose square matrices as well if all other matrices of the layers are transposed.

    The shape of a square matrix does not show whether it is transposed.
    """
    matrices = [line for line in lines if len(line.theirs.shape) == 2 and "*" in line.theirs.pattern]
    oblong = [line for line in matrices if line.theirs.shape[0] != line.theirs.shape[1]]
    if not oblong or any("transpose" not in line.operations for line in oblong):
        return list(lines)
    square = [line for line in matrices if not line.operations]
    return [replace(line, operations="transpose: true") if line in square else line for line in lines]


def spelled(lines: Sequence[DraftLine], ours: Mapping[str, Shape]) -> tuple[str, ...]:
    """Return the lines as a map writes them, with one line for a module whose local names agree on both sides.

    `ours` are the tensors that the lines were drafted for.
    """
    plain = {line.ours[0].pattern: line.theirs.pattern for line in lines if not line.operations}
    locals_of: dict[str, set[str]] = defaultdict(set)
    for name in (*ours, *plain):
        module, _, local = name.rpartition(".")
        locals_of[module].add(local)
        locals_of[_NUMBER.sub("*", module)].add(local)
    result: dict[str, None] = {}
    for line in lines:
        module, _, _ = line.ours[0].pattern.rpartition(".")
        theirs = {local: plain.get(f"{module}.{local}", "").rpartition(".") for local in locals_of[module]}
        stems = {stem for stem, _, _ in theirs.values()}
        whole = len(stems) == 1 and all(local == last for local, (_, _, last) in theirs.items())
        their = "".join(stems)
        result[f"{module}: {their}" if whole and module and their and not line.operations else str(line)] = None
    return tuple(result)


def _groups(shapes: Mapping[str, Shape]) -> list[TensorGroup]:
    """Group names by replacing every number with `*`.

    Where a name has several numbers, groups that keep one of them are added. A name without others like it stays as it
    is.
    """
    families: dict[str, list[str]] = defaultdict(list)
    for name in shapes:
        families[_NUMBER.sub("*", name)].append(name)
    found: dict[tuple[str, Shape], dict[tuple[int, ...], str]] = defaultdict(dict)
    for pattern, names in families.items():
        places = pattern.split(".").count("*")
        for name in names:
            kept: list[set[int]] = [set()] if len(names) > 1 else [set(range(places))]
            kept += [{place} for place in range(places)] if places > 1 else []
            for literal in kept:
                text, index = _starred(name, literal)
                found[text, tuple(shapes[name])][index] = name
    return [TensorGroup(pattern=pattern, shape=shape, names=names) for (pattern, shape), names in found.items()]


def _starred(name: str, literal: Collection[int]) -> tuple[str, tuple[int, ...]]:
    """Replace the numbers of a name with `*`, except those whose ordinal is in `literal`.

    Returns the name and the numbers that were replaced.
    """
    index: list[int] = []
    parts = name.split(".")
    places = [place for place, part in enumerate(parts) if part.isdecimal()]
    for number, place in enumerate(places):
        if number not in literal:
            index.append(int(parts[place]))
            parts[place] = "*"
    return ".".join(parts), tuple(index)


def _candidates(left: Sequence[TensorGroup], right: Sequence[TensorGroup]) -> Iterator[DraftLine]:
    """Yield every line whose shapes fit, over all pairs of groups."""
    fusions = tuple(_fusions(left))
    for their in right:
        for our in left:
            for operations in _ways(our, their):
                yield _line((our,), their, operations)
        for parts in fusions:
            for operations in _splits(parts, their):
                yield _line(parts, their, operations)


def _line(ours: tuple[TensorGroup, ...], their: TensorGroup, operations: str) -> DraftLine:
    """Make a line with its score.

    The score is the mean similarity of names, plus a bonus for a fused tensor and one for a line that maps several
    tensors.
    """
    alike = sum(_alike(our.pattern, their.pattern) for our in ours) / len(ours)
    several = 0.1 * (len(ours) > 1) + 0.1 * (len(their.names) > 1)
    return DraftLine(ours=ours, theirs=their, operations=operations, alike=alike + several)


def _ways(our: TensorGroup, their: TensorGroup) -> Iterator[str]:
    """Yield the operations (empty for none) that turn the tensors of `their` into those of `our`."""
    if our.names.keys() == their.names.keys():
        if our.shape == their.shape:
            yield ""
        elif len(our.shape) == 2 and our.shape == their.shape[::-1]:
            yield "transpose: true"
        elif [size for size in our.shape if size != 1] == [size for size in their.shape if size != 1]:
            yield f"rearrange: {_squeezed(their.shape)} -> {_squeezed(our.shape)}"
    inner = {indices[:-1] for indices in their.names if indices}
    stacked = our.shape[:1] == (len(their.names) // max(len(inner), 1),)
    if stacked and our.shape[1:] == their.shape and inner == our.names.keys():
        yield "stack: 0"


def _squeezed(shape: Shape) -> str:
    """Return one side of a `rearrange` pattern for a shape: a letter for each axis, `1` for an axis of size 1."""
    names = iter("abcdefgh")
    return " ".join("1" if size == 1 else next(names) for size in shape)


def _fusions(left: Sequence[TensorGroup]) -> Iterator[tuple[TensorGroup, ...]]:
    """Yield groups of ours that published files often fuse: q, k and v of one module, gate and up, k and v."""
    known = {group.pattern: group for group in left}
    for words in _FUSED:
        for group in left:
            stem = group.pattern.split(".")
            for place, part in enumerate(stem):
                if part == words[0]:
                    names = [".".join((*stem[:place], word, *stem[place + 1 :])) for word in words]
                    parts = tuple(known[name] for name in names if name in known)
                    if len(parts) == len(words):
                        yield parts


def _splits(parts: Sequence[TensorGroup], their: TensorGroup) -> Iterator[str]:
    """Yield the operations (empty for none) that split the tensors of `their` into `parts`."""
    if any(part.names.keys() != their.names.keys() for part in parts):
        return
    rows = (sum(part.shape[0] for part in parts), *parts[0].shape[1:]) if parts[0].shape else ()
    if rows == their.shape:
        yield "split: 0"
    elif len(rows) == 2 and rows == their.shape[::-1]:
        yield "transpose: true, split: 0"


def _alike(ours: str, theirs: str) -> float:
    """Return the similarity of two names, at most 1: by words with the same meaning, and by letters."""
    left, right = _words(ours), _words(theirs)
    shared = len(left & right) / len(left | right)
    # A norm after a part (post) is rarely the counterpart of the norm before it.
    after = 0.3 * ("post" in right - left)
    # Words count most; letters decide between names with the same words.
    return 0.8 * shared + 0.2 * SequenceMatcher(None, ours, theirs).ratio() - after


def _words(name: str) -> frozenset[str]:
    """Return the words of a name; words with the same meaning become the same word."""
    words = [word for part in name.lower().split(".") for word in (part, *_WORD.findall(part))]
    return frozenset(f"<{_ALIKE[word]}>" if word in _ALIKE else word for word in words if word.isalpha())


def joined(names: Sequence[str]) -> str:
    """Write names that differ in one part as one, `attention.(q k v).weight`; otherwise list them with commas."""
    parts = [name.split(".") for name in names]
    if len({len(one) for one in parts}) > 1:
        return ", ".join(names)
    columns = [tuple(dict.fromkeys(column)) for column in zip(*parts, strict=True)]
    if sum(len(column) > 1 for column in columns) > 1:
        return ", ".join(names)
    return ".".join(column[0] if len(column) == 1 else f"({' '.join(column)})" for column in columns)
