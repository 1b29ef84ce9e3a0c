"""What became of many files, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.yaml_fuzz.judging import Outcome
from tests.yaml_fuzz.shrink import shrunk

COLUMNS = ("proved", "broken", "wired", "unknown", "unsound", "false", "refused")


@dataclass
class Tally:
    """Answers by the kind of rule and by what was found; files that were refused, and those that crashed.

    `unconfirmed` counts the unknown verdicts whose witnesses no replay confirmed.
    """

    files: int = 0
    refused: int = 0
    crashed: list[Outcome] = field(default_factory=list)
    wrong: list[Outcome] = field(default_factory=list)
    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    unconfirmed: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        self.files += 1
        self.refused += bool(outcome.refused)
        if outcome.crash:
            self.crashed.append(outcome)
        if outcome.wrong:
            self.wrong.append(outcome)
        for answer in outcome.answers:
            self.answers[kind_of(answer.rule), answer.found] += 1
            self.unconfirmed[kind_of(answer.rule)] += answer.unconfirmed

    def count(self, *found: str) -> int:
        return sum(number for (_, one), number in self.answers.items() if one in found)

    @property
    def holds(self) -> bool:
        """Whether nothing is unsound, falsely refuted or a traceback."""
        return not self.crashed and not self.wrong

    @property
    def exact(self) -> float:
        """The share of upper rules that are proved, or rightly violated."""
        total = self.count(*COLUMNS[:-1])
        return self.count("proved", "broken") / total if total else 1.0

    def rows(self) -> Iterable[tuple[str, ...]]:
        """A line for each kind of rule, and the total."""
        for kind in sorted({kind for kind, _ in self.answers}):
            yield (kind, *(str(self.answers[kind, found]) for found in COLUMNS), str(self.unconfirmed[kind]))
        yield ("all", *(str(self.count(found)) for found in COLUMNS), str(self.unconfirmed.total()))

    def summary(self) -> str:
        """Everything on one line."""
        return (
            f"{self.files} files ({self.refused} refused, {len(self.crashed)} crashed), "
            f"{self.count(*COLUMNS[:-1])} rules: {self.count('unsound')} unsound, "
            f"{self.count('false')} falsely violated, {self.unconfirmed.total()} unknown as no replay confirms, "
            f"{self.exact:.1%} exact"
        )


def kind_of(rule: str) -> str:
    """The word that names a rule."""
    return rule.partition(":")[0].partition("(")[0]


def told(seed: int, outcome: Outcome) -> str:
    """A failing file with what is wrong of it, as comments."""
    lines = [f"# file {outcome.number} of seed {seed}"]
    lines += [f"# {answer.found}: {answer.rule}: {answer.detail}" for answer in outcome.wrong]
    lines += [f"# traceback: {outcome.crash}"] if outcome.crash else []
    text = outcome.text if outcome.crash else shrunk(outcome.text, (answer.rule for answer in outcome.wrong))
    return "\n".join(" ".join(line.splitlines()) for line in lines) + f"\n{text}"
