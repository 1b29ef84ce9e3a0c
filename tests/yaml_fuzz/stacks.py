"""Random stacks of layers, with the options of attention and feed-forward."""

from __future__ import annotations

from tests.yaml_fuzz.draft import WIDTH, Draft, Made
from tests.yaml_fuzz.masks import Masker

_ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "relu_squared", "none")


def stack(draft: Draft) -> Made:
    """A transformer, encoder or decoder over a sequence."""
    r = draft.r
    x = draft.recent(draft.sequences())
    block = r.choices(("transformer", "encoder", "decoder"), (5, 2, 2))[0]
    maker = _Stack(draft, x, block)
    fields = maker.fields()
    return draft.node(block, f"input: {x.name}, {fields}", x.axes, reads=[x, *maker.reads])


class _Stack:
    def __init__(self, draft: Draft, x: Made, block: str) -> None:
        self.draft, self.r, self.x, self.block = draft, draft.r, x, block
        self.reads: list[Made] = []
        self.residual = "pre"

    def fields(self) -> str:
        r = self.r
        residual = r.choices(
            ("pre", "post", "post_branch", "sandwich", "parallel", "parallel_split", "bare"), (5, 2, 1, 1, 1, 1, 1)
        )[0]
        self.residual = residual
        layers = r.choice((1, 1, 2, 2, 3))
        crosses = self.block != "encoder" and not residual.startswith("parallel") and r.random() < 0.35
        attends = not crosses or r.random() < 0.7
        feeds = (not attends and not crosses) or r.random() < 0.35
        if residual.startswith("parallel"):
            attends = feeds = True
        kinds = attends and layers > 1 and r.random() < 0.3
        parts = [f"layers: {layers}", f"residual: {self._residual(residual)}"]
        if residual not in ("post", "bare") or r.random() < 0.2:
            parts.append(f"final_norm: {r.choice(('true', 'false', 'false'))}")
        parts.append(f"attention: {self._attention(not kinds)}" if attends else "attention: none")
        if crosses:
            parts.append(f"cross_attention: {self._cross()}")
        parts.append(f"feed_forward: {self._feed_forward()}" if feeds else "feed_forward: none")
        if kinds:
            parts += self._kinds()
        if r.random() < 0.15:
            parts.append("share: true")
        if r.random() < 0.12 and not kinds:
            parts.append("repeat: 2")
        return ", ".join(parts)

    def _residual(self, kind: str) -> str:
        if self.r.random() < 0.75 or kind == "bare":
            return kind
        more = self.r.choice(
            ("branch_scale: 0.7", "skip_scale: 0.8", "branch_scale: {kind: learned, init: 0.9}", "drop_path: 0.1")
        )
        return f"{{kind: {kind}, {more}}}"

    def _kinds(self) -> list[str]:
        r = self.r
        kinds = ", ".join(f"{name}: {{attention: {{mask: {self._mask()}}}}}" for name in ("near", "far"))
        pattern = r.choice(("[near, far]", "[far, near]", "[near]", "{start: [far], repeat: [near], end: []}"))
        return (
            [f"kinds: {{{kinds}}}", f"pattern: {pattern}"]
            if pattern != "[near]"
            else [f"kinds: {{{kinds}}}", "pattern: [near, far]"]
        )

    def _mask(self) -> str:
        found = Masker(self.draft, self.x.axes[0], self.x.axes[1], self.x.axes[1]).mask(self.block == "decoder")
        self._read(found.names)
        return found.text

    def _read(self, names: tuple[str, ...]) -> None:
        self.reads += [value for value in self.draft.values if value.name in names]

    def _attention(self, masked: bool) -> str:
        r = self.r
        if r.random() < 0.1:
            return self._latent(masked)
        parts = self._heads()
        if masked:
            parts.append(f"mask: {self._mask()}")
        if r.random() < 0.3:
            parts.append(f"positions: {self._positions()}")
        if r.random() < 0.12:
            square = self.draft.of("float", (self.x.axes[1], self.x.axes[1]))
            if square:
                self.reads.append(square[0])
                parts.append(f"{r.choice(('add_to_scores', 'multiply_scores'))}: {square[0].name}")
        return f"{{{', '.join(parts)}}}"

    def _heads(self) -> list[str]:
        r = self.r
        parts = [f"heads: {r.choice((1, 2, 2))}"]
        if parts == ["heads: 2"] and r.random() < 0.2:
            parts.append("kv_heads: 1")
        for chance, text in (
            (0.1, "value_dim: 3"),
            (0.1, "bias: [q, v, out]"),
            (0.1, "softcap: 5"),
            (0.1, "scale: 0.5"),
            (0.12, f"sink: {r.choice(('learned', 'zero'))}"),
            (0.08, "qk_norm: {norm: rms_norm, over: all}"),
            (0.08 if self.residual == "pre" else 0, "pre_norm: false"),
        ):
            if r.random() < chance:
                parts.append(text)
        return parts

    def _positions(self) -> str:
        r = self.r
        same = [v for v in self.draft.of("float", self.x.axes) if v is not self.x]
        ids = [v for v in self.draft.of("int64", self.x.axes[:2]) if v.fed]
        if same and r.random() < 0.4:
            value = r.choice(same)
            self.reads.append(value)
            return r.choice(
                (
                    f"{{kind: added, query: {value.name}}}",
                    f"{{kind: added, key: {value.name}}}",
                    f"{{kind: added, query: {value.name}, key: {value.name}}}",
                )
            )
        if ids and r.random() < 0.3:
            self.reads.append(ids[0])
            return f"{{kind: rotary, layout: half, ids: {ids[0].name}}}"
        return r.choice(
            (
                "{kind: rotary, layout: half}",
                "{kind: rotary, layout: interleaved, size: 2}",
                "{kind: alibi, slopes: powers}",
                "{kind: alibi, slopes: learned}",
                "{kind: relative_buckets, buckets: 4, max_distance: 6, bidirectional: true, share: true}",
                "{kind: relative_buckets, buckets: 4, max_distance: 6, bidirectional: false, share: false}",
            )
        )

    def _latent(self, masked: bool) -> str:
        query = self.r.choice(("none", "3"))
        mask = f", mask: {self._mask()}" if masked else ""
        sizes = f"heads: 2, head_dim: 4, latent: {{query: {query}, key_value: 3, rotary: 2}}"
        return f"{{{sizes}, positions: {{kind: rotary, layout: half}}{mask}}}"

    def _cross(self) -> str:
        lead = self.x.axes[0]
        known = [v for v in self.draft.ranked(3) if v.axes[0] == lead and v.axes[2].constant]
        memory = self.r.choice(known)
        self.reads.append(memory)
        found = Masker(self.draft, lead, self.x.axes[1], memory.axes[1]).mask()
        self._read(found.names)
        more = ", memory_norm: true" if self.r.random() < 0.3 and memory.axes[-1].constant == WIDTH else ""
        return f"{{memory: {memory.name}, heads: {self.r.choice((1, 2))}, mask: {found.text}{more}}}"

    def _feed_forward(self) -> str:
        r = self.r
        gated = r.random() < 0.4
        parts = ["hidden: 6", f"activation: {r.choice(_ACTIVATIONS)}", f"gated: {'true' if gated else 'false'}"]
        if r.random() < 0.15:
            experts = f"count: 3, top_k: {r.choice((1, 2))}, scores: {r.choice(('softmax', 'sigmoid'))}"
            experts += f", normalise: {r.choice(('true', 'false'))}"
            experts += ", shared: {hidden: 3}" if r.random() < 0.3 else ""
            parts.append(f"experts: {{{experts}}}")
        return f"{{{', '.join(parts)}}}"
