"""The beam searches of several prompts, whose sequences are the rows of one batch."""

from __future__ import annotations

from archspec.decoding.beams import BeamSearch, PromptSearch
from archspec.decoding.cached import CachedSteps
from archspec.decoding.full import FullForward
from archspec.decoding.plan import GenerationPlan
from archspec.decoding.prompts import Sequences
from archspec.decoding.sampling import Sampling, require_numbers
from archspec.decoding.scores import Scores
from archspec.diagnostics import fail


def check_search(plan: GenerationPlan, search: BeamSearch, sampling: Sampling, prompts: int) -> None:
    """Raise SpecError E744 for a temperature, and for more sequences than the batch takes rows."""
    if sampling.temperature > 0:
        message = f"beam search keeps the most likely sequences, but `temperature` is {sampling.temperature}"
        fail("E744", message, None, help="set `temperature` to 0, or use 1 beam")
    most = plan.spec.inputs[plan.decode.input].type.shape[0].maximum()
    rows = prompts * search.beams
    if most is not None and rows > most:
        message = (
            f"{search.beams} beams for each of {prompts} prompts need {rows} rows, but the batch takes at most {most}"
        )
        fail("E744", message, None, help="use fewer beams or fewer prompts")


class Searches:
    """The searches of all prompts. Every step feeds the sequences that grow, as the rows of one batch."""

    def __init__(
        self,
        source: CachedSteps | FullForward,
        sequences: Sequences,
        scores: Scores,
        searches: list[PromptSearch],
    ) -> None:
        """Prepare the searches.

        Args:
            source: what computes the logits of the sequences.
            sequences: the prompts, a search each; from then on those that grow, changed in place.
            scores: what turns logits into scores.
            searches: one for each prompt.
        """
        if not source.selects:
            message = "beam search repeats and reorders rows, but a single row cannot be taken from this batch"
            fail("E744", message, None, help="give the batch its own dim, or use 1 beam")
        self.source, self.sequences, self.scores, self.searches = source, sequences, scores, searches

    def run(self) -> None:
        """Grow until every search is done."""
        live, new = self.searches, 0
        while live:
            live = self._step(live, new)
            new += 1

    def _step(self, live: list[PromptSearch], new: int) -> list[PromptSearch]:
        """Grow sequences that have `new` new ids by one; returns the searches that go on."""
        rows = range(len(self.sequences))
        logits = self.source.logits(rows)
        require_numbers(logits)
        likely = logits.double().log_softmax(-1)
        # As in transformers, a penalty changes the log-probabilities.
        scores = self.scores.of(likely, rows, new)
        require_numbers(scores)
        first, places, grown = 0, [], []
        for search in live:
            part = slice(first, first + len(search.running))
            parents = [first + parent for parent in search.advance(scores[part], likely[part])]
            places += parents
            grown += [[*self.sequences[row], beam.ids[-1]] for row, beam in zip(parents, search.running, strict=True)]
            first = part.stop
        going = [search for search in live if search.running]
        # This also drops the rows of searches that are done: no place names them.
        if going:
            self.source.select(places)
        # In place, because the source of logits holds the same list.
        self.sequences[:] = grown
        return going
