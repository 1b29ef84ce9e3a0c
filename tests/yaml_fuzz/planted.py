"""Which files find a planted fault: a rule is proved under it, and the module is seen to break it."""

from __future__ import annotations

from functools import cache

from archspec.ir.graph import Graph
from archspec.rules import kind
from archspec.rules.explain import open_question
from archspec.rules.judge import Judge
from archspec.rules.kinds import ignores
from archspec.rules.verdict import Verdict
from archspec.spec import Rule
from tests.rules.breakage import broken
from tests.yaml_fuzz import witness
from tests.yaml_fuzz.faults import Fault
from tests.yaml_fuzz.judging import Examined, examined
from tests.yaml_fuzz.make import file_of


@cache
def seen(seed: int, number: int) -> Examined:
    """A file observed without a fault: the faults of the prover do not change the module."""
    return examined(file_of(seed, number), seed, number)


def finds(fault: Fault, seed: int, number: int) -> list[str]:
    """The rules of a file that are proved under a fault of the prover although they are broken."""
    known, found = seen(seed, number), []
    # Only proofs count here: witnesses are not searched for.
    with fault(), broken((kind, "fallen_short", _unknown), (ignores, "fallen_short", _unknown)):
        _forget(known.spec.graph)
        judge = Judge(known.spec)
        for question, rule in zip(known.asked, known.spec.rules, strict=True):
            change = next((one for one in known.observed.changes if question.broken_by(one)), None)
            if change is None or judge.verdict(rule).status != "proved":
                continue
            if witness.again(known.subject, question, change):
                found.append(question.text)
    _forget(known.spec.graph)
    return found


def _forget(graph: Graph) -> None:
    """Let what the ops of a graph read be asked again: nodes remember it, with a fault or without."""
    for node in graph.walk():
        for name in ("reads", "_readings"):
            vars(node).pop(name, None)


def _unknown(rule: Rule, *_: object) -> Verdict:
    return Verdict(rule=rule, status="unknown", diagnostics=(open_question(rule, None),))
