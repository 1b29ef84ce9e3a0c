"""A file judged: what `check` says of it, against what the compiled module does."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from archspec import SpecError, check
from archspec.checking.checks import Report
from archspec.diagnostics import Source
from archspec.lower.emission import emit
from archspec.lower.naming import class_name
from archspec.rules.explain import UNCONFIRMED
from archspec.rules.judge import Judge
from archspec.rules.verdict import Verdict
from archspec.spec import Spec
from archspec.spec.elaborate import elaborate
from archspec.text.reader import read
from tests.yaml_fuzz import witness
from tests.yaml_fuzz.draft import Draft
from tests.yaml_fuzz.make import file_of
from tests.yaml_fuzz.observe import Observed, Subject, observe, rows, sizes_at
from tests.yaml_fuzz.questions import Question, batch_mixed, questions

Class = Literal["proved", "broken", "wired", "unknown", "unsound", "false", "refused"]
"""`proved`, and nothing moved; `broken` and seen to be; `wired`: violated by exact wiring alone; `unsound`: proved, and
something moved; `false`: violated, and neither the module nor exact wiring shows it; `refused`: not asked."""
WRONG: tuple[Class, ...] = ("unsound", "false")


@dataclass(frozen=True)
class Answer:
    """A rule and what became of it."""

    rule: str
    found: Class
    detail: str = ""

    @property
    def unconfirmed(self) -> bool:
        """Whether it is `unknown` because no replay confirmed a witness."""
        return self.found == "unknown" and self.detail == UNCONFIRMED


@dataclass
class Outcome:
    """A file and its answers; `crash` is a traceback's last line, `refused` a message where the file does not load."""

    number: int
    text: str = ""
    answers: list[Answer] = field(default_factory=list)
    refused: str = ""
    crash: str = ""

    @property
    def wrong(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.found in WRONG]


def judge(seed: int, number: int) -> Outcome:
    """The outcome of file `number` of a seed."""
    draft = file_of(seed, number)
    outcome = Outcome(number, draft.text())
    try:
        _judge(draft, seed, outcome)
    except SpecError as error:
        outcome.refused = "; ".join(f"{found.code} {found.message}" for found in error.diagnostics[:2])
    except Exception as error:  # noqa: BLE001 - a traceback is what is looked for
        outcome.crash = _last(error)
    return outcome


def _last(error: Exception) -> str:
    import traceback

    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "archspec/" in frame.filename]
    at = f" at {frames[-1].filename.rpartition('archspec/')[2]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{at}"


def loaded(text: str) -> Spec:
    return elaborate(read(Source("fuzzed.yaml", text)), path=Path("fuzzed.yaml"))


def subject_of(draft: Draft, report: Report) -> Subject:
    """The compiled module of a file without rules."""
    space: dict[str, object] = {"__name__": "fuzzed"}
    source = emit(report.accept(unproved=True))
    exec(compile(source, "fuzzed.py", "exec"), space)
    module = space[class_name(report.spec.name)]()  # type: ignore[operator]
    return Subject(draft, module, report.spec.graph.output_names)


@dataclass(frozen=True)
class Examined:
    """A file with what its module was seen to do, the rules that are asked of it, and those that are refused."""

    subject: Subject
    observed: Observed
    asked: list[Question]
    refused: list[Question]
    spec: Spec
    report: Report
    generator: np.random.Generator


def examined(draft: Draft, seed: int, number: int) -> Examined:
    """The file of a number, observed and asked, and not judged yet; its report is that without rules."""
    r = random.Random(f"{seed}/{number}/questions")
    generator = np.random.default_rng([seed, number])
    # What is always judged is judged here; the rules, which say nothing of the module, are judged later alone.
    report = check(loaded(draft.text()))
    subject = subject_of(draft, report)
    observed = observe(subject, generator)
    changed = dict.fromkeys(change.source for change in observed.changes)
    inner = [subject.inner.values[name] for name in changed if name in subject.inner.values]
    spec, asked, refused = _with_rules(draft.text(), questions(draft, observed, inner, r))
    return Examined(subject, observed, asked, refused, spec, report, generator)


def _judge(draft: Draft, seed: int, outcome: Outcome) -> None:
    known = examined(draft, seed, outcome.number)
    outcome.text = _text(outcome.text, known.asked)
    outcome.answers += [Answer(one.text, "refused") for one in known.refused]
    judged = Judge(known.spec)
    for question, rule in zip(known.asked, known.spec.rules, strict=True):
        outcome.answers.append(
            _answer(question, judged.verdict(rule), known.observed, known.subject, known.spec, known.generator)
        )
    independent = next((one for one in known.report.verdicts if str(one.rule) == "independent(dim: batch)"), None)
    if independent is not None and known.observed.rows:
        outcome.answers.append(_rows(independent, known.observed, known.subject, known.generator))


def _text(text: str, asked: Sequence[Question]) -> str:
    if not asked:
        return text
    return f"{text}rules:\n" + "".join(f"  - {one.text}\n" for one in asked)


def _with_rules(text: str, asked: list[Question]) -> tuple[Spec, list[Question], list[Question]]:
    """The spec with the rules that the language takes, those, and those that it refuses."""
    refused: list[Question] = []
    while True:
        whole = _text(text, asked)
        try:
            return loaded(whole), asked, refused
        except SpecError as error:
            first = whole.count("\n") - len(asked)
            lines = {found.primary.span.line for found in error.diagnostics if found.primary is not None}
            wrong = [one for k, one in enumerate(asked, first + 1) if k in lines]
            if not wrong:
                raise
            refused += wrong
            asked = [one for one in asked if one not in wrong]


def _answer(
    question: Question,
    verdict: Verdict,
    observed: Observed,
    subject: Subject,
    spec: Spec,
    generator: np.random.Generator,
) -> Answer:
    text = question.text
    if verdict.status == "proved":
        found = next((change for change in observed.changes if question.broken_by(change)), None)
        if found is None:
            return Answer(text, "proved")
        confirmed = witness.again(subject, question, found)
        return Answer(text, "unsound", witness.told(question, found)) if confirmed else Answer(text, "proved")
    if verdict.status == "violated":
        if question.broken(observed):
            return Answer(text, "broken")
        return Answer(text, *witness.replayed(question, verdict, subject, spec, generator))
    return Answer(text, "unknown", verdict.explanation)


def _rows(verdict: Verdict, observed: Observed, subject: Subject, generator: np.random.Generator) -> Answer:
    mixed, text = batch_mixed(observed.rows), str(verdict.rule)
    if verdict.status == "proved":
        return Answer(text, "unsound", "another row moved") if mixed else Answer(text, "proved")
    if verdict.status == "unknown":
        return Answer(text, "unknown")
    for which in (2, 1, 0, 2, 1):
        if mixed:
            return Answer(text, "broken")
        subject.fill(generator)
        mixed = batch_mixed(rows(subject, {**sizes_at(subject.draft, which), "batch": 2}, generator))
    return Answer(text, "false", "no output moved with another row")
