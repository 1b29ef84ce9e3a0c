"""A spec that says what would break a page wherever it may: markup, addresses, long words, other scripts."""

from __future__ import annotations

LONG = "w" + "o" * 300 + "rd"
NAME = "n" * 180
MARKUP = (
    "'\"><script>alert(1)</script><img src=http://archspec.invalid/x onerror=alert(2)><!-- ]]> &amp; </style></svg>"
)
# Hebrew, Arabic, a character that turns what follows, and one that no XML may hold.
OTHER = "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \\u202e turned \\u0007 ends"


def hostile(layers: int = 1) -> str:
    """The text of a spec that loads, with a node for each layer, whose rule is violated."""
    chain = "\n".join(
        f"  {LONG}{number}: {{block: linear, input: {f'{LONG}{number - 1}' if number else 'source'}, dim: 4}}"
        for number in range(layers)
    )
    quoted = f"{MARKUP} {OTHER} {LONG}".replace('"', '\\"')
    return f"""archspec: 1
name: {NAME}
about: "{quoted}"
dims: {{batch: [1, 2, 4], length: [1, 5, 9]}}
inputs:
  ids: int64[batch, length] < 7
graph:  # {MARKUP}
  source: {{block: token_embedding, ids: ids, vocab: 7, dim: 4}}
{chain}
  mixed:
    block: encoder
    input: {LONG}{layers - 1}
    layers: 1
    residual: pre
    norm: layer_norm
    final_norm: false
    attention: {{heads: 2, mask: all}}
    feed_forward: {{hidden: 4, activation: relu}}
outputs:
  mixed: float[batch, length, 4]
rules:
  - causal: {{output: mixed, input: ids}}  # {MARKUP}
"""
