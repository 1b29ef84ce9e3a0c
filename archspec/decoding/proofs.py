"""Proofs that feeding the output of a spec back to its input requires."""

from __future__ import annotations

from archspec.diagnostics import Diagnostic, Label, Source, SpecError
from archspec.ir.graph import Node, Value
from archspec.masks.atoms.causal import Causal
from archspec.ops.elementwise.logical import Logical
from archspec.rules.independence import Independent, Pair
from archspec.rules.judge import Judge
from archspec.rules.kind import rule_kinds
from archspec.rules.verdict import Verdict
from archspec.spec import Rule, Spec
from archspec.spec.rule_fields import RuleFields
from archspec.spec.spec import Decode
from archspec.text.reader import read


class Proofs:
    """Verdicts on the output that is fed back, computed on request."""

    def __init__(self, spec: Spec, decode: Decode) -> None:
        assert spec.document.decode is not None
        self.decode = decode
        self.span = spec.document.decode.output.span
        self._judge = Judge(spec)
        self._inputs = {value.name: value for value in spec.graph.inputs}
        self._output = spec.outputs[decode.output]

    def require_causal(self) -> None:
        """Raise SpecError E743 unless it is proved that no output position depends on later fed-back positions."""
        verdict = self._causal(self.decode.input)
        if verdict.status != "proved":
            message = f"`{self.decode.output}` is not proved to be causal in `{self.decode.input}`"
            self._refuse(message, "new ids could change the logits of earlier positions", verdict)

    def require_rows(self) -> None:
        """Raise SpecError E743 unless it is proved that no row of the batch depends on another, or there is one row."""
        size = self._inputs[self.decode.input].type.shape[0]
        led = (value for value in self._inputs.values() if value.type.shape[:1] == (size,))
        # `out=(0,)`: the first axis of the logits is the batch, as that of the fed-back input.
        pairs = (Pair(output=self._output, output_name=self.decode.output, input=value, out=(0,)) for value in led)
        verdict = self._judge.independent(Independent(size=size, pairs=tuple(pairs)))
        if size.constant != 1 and verdict.status != "proved":
            message = f"the rows of `{self.decode.output}` are not proved to be independent"
            self._refuse(message, "a row could depend on the other rows of the batch", verdict)

    def is_causal_in(self, source: str) -> bool:
        """Whether it is proved that no output position depends on later positions of an input."""
        return self._causal(source).status == "proved"

    def ignores_unless(self, valid: str, source: str) -> bool:
        """Whether it is proved that positions of an input matter only where `valid` is true.

        Outputs at invalid positions are left out where they have these positions.
        """
        where = Value(f"not {valid}", self._inputs[valid].type)
        # Made for its effect: it becomes the producer of `where`.
        Node(op=Logical(kind="not"), inputs=(self._inputs[valid],), outputs=(where,))
        text = f"output: {self.decode.output}\ninput: {source}\nwhere: not {valid}\n"
        return self._verdict("ignores", text, source, where=where).status == "proved"

    def _causal(self, source: str) -> Verdict:
        text = f"output: {self.decode.output}\ninput: {source}\n"
        return self._verdict("causal", text, source, mask=Causal(), axes=((1,), (1,)))

    def _verdict(self, kind: str, text: str, source: str, **more: object) -> Verdict:
        rule = Rule(
            kind=kind,
            fields=_fields(rule_kinds()[kind].fields, text),
            output=self._output,
            input=self._inputs[source],
            span=self.span,
            **more,  # type: ignore[arg-type]
        )
        return self._judge.verdict(rule)

    def _refuse(self, message: str, why: str, verdict: Verdict) -> None:
        primary = Label(self.span, "this is fed back")
        raise SpecError([Diagnostic(code="E743", message=message, primary=primary, notes=(why,)), *verdict.diagnostics])


def _fields(model: type[RuleFields], text: str) -> RuleFields:
    """The fields of a rule, read from text as it would be written in a spec."""
    return model.read(read(Source("decode", text)))
