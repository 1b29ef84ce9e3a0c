"""Random specs of many shapes: maps and sequences that branch, join, skip, repeat and nest, with up to 70 inputs."""

from __future__ import annotations

from random import Random

HEAD = """\
archspec: 1
name: random
dims: {{batch: [1, 2, 4], n: [1, 4, 8]}}
inputs: {{{inputs}}}
defaults: {{norm: layer_norm}}
blocks:
  two:
    inputs: {{x: "float[b, k, d]"}}
    graph:
      a: {{block: linear, input: x, dim: d}}
      y: {{block: linear, input: a, dim: d}}
    outputs: {{y: "float[b, k, d]"}}
  join:
    inputs: {{x: "float[b, k, d]", z: "float[b, k, d]", w: "float[b, k, d]"}}
    graph:
      a: {{block: linear, input: x, dim: d}}
      p: a + z
      q: {{block: linear, input: w, dim: d}}
      y: p * q
    outputs: {{y: "float[b, k, d]"}}
graph:
{nodes}
outputs: {{y: "float[batch, n, 16]"}}
"""
STACK = "layers: {layers}, residual: pre, final_norm: {final}, feed_forward: {{hidden: 8, activation: relu}}"


def random_spec(seed: int) -> str:
    """A spec that holds together, of 2 to 16 nodes over values float[batch, n, 16]."""
    rng = Random(seed)
    inputs = [f"x{number}" for number in range(rng.choice((1, 1, 2, 3, 5, 70)))]
    values = list(inputs)
    lines = []
    for number in range(rng.randint(2, 15)):
        name = f"v{number}"
        lines.append(f"  {name}: {_node(rng, values, name)}")
        values.append(name)
    used = {word for line in lines for word in line.replace(",", " ").replace("]", " ").replace("[", " ").split()[1:]}
    ends = [value for value in values if value not in {word.strip("{}") for word in used}]
    rng.shuffle(ends)
    lines.append(
        f"  c: {{block: concat, inputs: [{', '.join(ends)}], axis: 2}}" if len(ends) > 1 else f"  c: {ends[0]} * 2"
    )
    lines.append("  y: {block: linear, input: c, dim: 16}")
    types = ", ".join(f'{name}: "float[batch, n, 16]"' for name in inputs)
    return HEAD.format(inputs=types, nodes="\n".join(lines))


def _node(rng: Random, values: list[str], name: str) -> str:
    a, b, c = (rng.choice(values[-rng.randint(1, len(values)) :]) for _ in range(3))
    stack = STACK.format(layers=rng.randint(1, 4), final=rng.choice(("true", "false")))
    attention = rng.choice(("none", "{heads: 2, mask: all}"))
    return rng.choice(
        (
            f"{{block: linear, input: {a}, dim: 16, activation: relu}}",
            f"{{block: norm, input: {a}}}",
            f"{a} + {b}",
            f"{a} * {b} + {c}",
            f"{{block: two, x: {a}}}",
            f"{{block: two, x: {a}, repeat: 3}}",
            f"{{block: join, x: {a}, z: {b}, w: {c}}}",
            f"{{block: encoder, input: {a}, {stack}, attention: {attention}}}",
            (
                f"{{block: transformer, input: {a}, {stack}, attention: none, "
                f"cross_attention: {{memory: {b}, heads: 2, mask: all}}}}"
            ),
            f"[{{block: linear, input: {a}, dim: 32}}, {{block: activation, kind: gelu}}, {{block: linear, dim: 16}}]",
        )
    )
