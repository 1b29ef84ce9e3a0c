"""A failing file with no more than its failing rules need."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SECTION = re.compile(r"^(?=\w)", re.MULTILINE)


def shrunk(text: str, rules: Iterable[str]) -> str:
    """The file with these rules alone, and only what they and their outputs are made of."""
    wanted = list(rules)
    if any(rule.startswith("independent") for rule in wanted):
        return text
    parts = {part.partition(":")[0]: part for part in _SECTION.split(text) if part}
    nodes, inputs, dims = (_lines(parts[name]) for name in ("graph", "inputs", "dims"))
    blocks = _blocks(parts.get("blocks", ""))
    named = _words(" ".join(wanted))
    outputs = {name: line for name, line in _lines(parts["outputs"]).items() if name in named}
    while True:
        lines = [line for known in (nodes, inputs, blocks, outputs) for name, line in known.items() if name in named]
        more = named | _words(" ".join(lines))
        if more == named:
            break
        named = more
    body = " ".join(line for known in (nodes, blocks) for name, line in known.items() if name in named)
    for name in sorted(set(inputs) & named - _words(body)):
        # What a rule alone names must be used all the same.
        nodes[f"use_{name}"] = f"  use_{name}: {{block: shift, input: {name}, axis: -1, by: 0}}\n"
        type_ = re.search(r'"(.*?)( <.*)?"', inputs[name])
        outputs[f"use_{name}"] = f'  use_{name}: "{type_[1] if type_ else ""}"\n'
        named |= {f"use_{name}"}
    kept = [parts["archspec"], parts["name"], parts["defaults"]]
    kept.append("dims:\n" + _joined(dims, named | {"batch"}))
    kept.append("inputs:\n" + _joined(inputs, named))
    if set(blocks) & named:
        kept.append("blocks:\n" + _joined(blocks, named))
    kept += ["graph:\n" + _joined(nodes, named), "outputs:\n" + _joined(outputs, named), "rules:\n"]
    return "".join(kept) + "".join(f"  - {rule}\n" for rule in wanted)


def _lines(part: str) -> dict[str, str]:
    return {found[1]: found[0] for found in re.finditer(r"^  ([\w.]+):.*\n", part, re.MULTILINE)}


def _blocks(part: str) -> dict[str, str]:
    return {found[1]: found[0] for found in re.finditer(r"^  (\w+):\n(?:   .*\n)*", part, re.MULTILINE)}


def _joined(lines: dict[str, str], named: set[str]) -> str:
    return "".join(line for name, line in lines.items() if name in named)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))
