"""The classes of a file: bodies with the same code share a class, and each class gets a descriptive name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, takewhile
from types import MappingProxyType

from archspec.lower.attributes import Attributes
from archspec.lower.code import ClassCode, Loop, Statement
from archspec.lower.inline import InlinePlan
from archspec.lower.naming import camel, class_name, unused
from archspec.lower.syntax import renamed

NO_METHODS: Mapping[str, tuple[ClassCode, InlinePlan]] = MappingProxyType({})


@dataclass(kw_only=True)
class Class:
    """One class: the code of its first body, and the kinds and paths of all bodies that share it.

    `code` is `forward`; `methods` holds the code of other methods by name.
    """

    code: ClassCode
    methods: Mapping[str, ClassCode] = field(default_factory=dict)
    kinds: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The kind in camel case, or the words in which all kinds end: `LocalLayer` and `GlobalLayer` give `Layer`.

        The first kind is used if they end in different words.
        """
        endings = [re.findall(r"[A-Z][^A-Z]*", class_name(kind))[::-1] for kind in self.kinds]
        common = list(takewhile(lambda words: len(set(words)) == 1, zip(*endings, strict=False)))
        return "".join(words[0] for words in reversed(common)) or class_name(self.kinds[0])


class Classes:
    """The classes of a file, each after the classes that it uses, because a body is added after its inner bodies."""

    def __init__(self) -> None:
        self.all: list[Class] = []
        self._known: dict[str, int] = {}

    def add(
        self, code: ClassCode, plan: InlinePlan, methods: Mapping[str, tuple[ClassCode, InlinePlan]] = NO_METHODS
    ) -> int:
        """Add a body, with other methods; returns the number of its class, an earlier one if that has the same code."""
        key = "\n".join([code_key(code, plan), *(f"{name} {code_key(*one)}" for name, one in methods.items())])
        number = self._known.setdefault(key, len(self.all))
        if number == len(self.all):
            self.all.append(Class(code=code, methods={name: one for name, (one, _) in methods.items()}))
        self.all[number].kinds.append(code.kind)
        self.all[number].paths.append(code.path)
        return number

    def names(self, root: str, taken: Sequence[str]) -> dict[int, str]:
        """A name for every class by number: its kind, or, if kinds clash, one made from its node or path.

        Args:
            root: the name of the last class, the model.
            taken: names that no class may take.
        """
        found = {len(self.all) - 1: root}
        groups: dict[str, list[int]] = {}
        for number, one in enumerate(self.all[:-1]):
            groups.setdefault(one.kind, []).append(number)
        for kind, members in groups.items():
            found |= self._group(kind, members, {*taken, *found.values()})
        return found

    def _group(self, kind: str, members: Sequence[int], taken: set[str]) -> dict[int, str]:
        """Names for the classes of one kind: for each the shortest that no other one competes for, else a number."""
        given: dict[int, str] = {}
        if len(members) == 1 and kind not in taken:
            return {members[0]: kind}
        options = {number: _options(kind, self.all[number]) for number in members}
        # Names get longer at each level; a name that several classes would take is given to none of them.
        for level in range(_LEVELS):
            wanted = Counter(options[number][level] for number in members if number not in given)
            for number in members:
                name = options[number][level]
                if number not in given and wanted[name] == 1 and name not in {*taken, *given.values()}:
                    given[number] = name
        for number in members:
            given.setdefault(number, unused(kind, {*taken, *given.values()}))
        return given


# The number of candidate names of a class, from short to long.
_LEVELS = 5


def _options(kind: str, one: Class) -> list[str]:
    """Candidate names from short to long: by the node, with the outer module, with the path's first node, by the path,
    with the innermost module.

    The name of the node is used only if all nodes of the class have it and it ends in the kind.
    """
    parts = [part for part in one.paths[0].split(".") if part != "*" and not part.isdigit()] or [kind]
    nodes = {camel(path.rpartition(".")[2]) for path in one.paths}
    own = camel(parts[-1])
    own = own if len(nodes) == 1 and own.endswith(kind) else kind
    outer = next((class_name(found) for found in one.code.around if found and class_name(found) not in own), "")
    path = "".join(camel(part) for part in parts[:-1])
    first = "" if own.startswith(camel(parts[0])) else camel(parts[0])
    inner = class_name(one.code.around[-1]) if one.code.around else ""
    return [own, outer + own, first + own, path + own, inner + own]


def token(number: int) -> str:
    """The token that stands for a class in the code of others until classes are named."""
    return f"__C{number}"


def code_key(code: ClassCode, plan: InlinePlan) -> str:
    """A text that is equal for bodies that can share a class: all their code, with variables numbered by first use."""
    order = count()
    seen: dict[str, str] = {}

    def canonical(found: str) -> str:
        # Sizes are resolved by now, and tokens of classes are the same in all bodies of a file.
        if not found.startswith("__v"):
            return found
        return seen.setdefault(found, f"v{next(order)}")

    parts = [canonical(one) for one in code.arguments]
    parts += [str(sorted(one for one in code.optional)), *(str(need.variable.annotation) for need in code.needs)]
    for statement in plan.statements:
        parts += [type(statement).__name__, *_statement(statement, canonical)]
    parts += [ast.dump(renamed(result, canonical)) for result in plan.results]
    parts += [str(code.output_names), *_attributes(code.attributes)]
    return "\n".join(parts)


def _statement(statement: Statement, canonical: object) -> Iterator[str]:
    """The text of a statement with canonical variables, for comparison."""
    assert callable(canonical)
    trees = [statement.value]
    if isinstance(statement, Loop):
        trees = [statement.start, statement.over, statement.header, statement.value]
        yield from (canonical(one) for one in (*statement.extra, *(value for _, value in statement.collected)))
    yield from (canonical(one) for one in statement.targets)
    yield from (ast.dump(renamed(tree, canonical)) for tree in trees)


def _attributes(attributes: Attributes) -> Iterator[str]:
    """The attributes with their initialisations, which `reset_parameters` writes into the class."""
    for path, attribute in attributes.items():
        parameters = [(local, str(p.init)) for local, p in attribute.parameters.items()]
        yield f"{path} {ast.dump(attribute.made)} {parameters}"
