"""The templates of emitted files: modules of plain torch, of which one may stand in another."""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from pathlib import Path

_FOLDER = Path(__file__).parent / "template"
_PACKAGE = "archspec.parallel.template."


class Template:
    """One template: the code after its imports, what it imports, and the templates that it imports from."""

    def __init__(self, name: str) -> None:
        text = (_FOLDER / f"{name}.py").read_text(encoding="utf-8")
        nodes = [node for node in ast.parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
        end = max(node.end_lineno or 0 for node in nodes)
        self.body = "\n".join(text.splitlines()[end:]).strip("\n")
        self.parts: list[str] = []
        self.plain: set[str] = set()
        self.named: dict[str, set[str]] = {}
        for node in nodes:
            if isinstance(node, ast.Import):
                self.plain |= {ast.unparse(ast.Import(names=[one])) for one in node.names}
            elif (node.module or "").startswith(_PACKAGE):
                self.parts.append((node.module or "").removeprefix(_PACKAGE))
            else:
                self.named.setdefault(node.module or "", set()).update(one.name for one in node.names)


def merged_imports(templates: Sequence[Template]) -> str:
    """The imports of templates together, sorted as a formatter does: `__future__`, the standard library, torch."""
    plain = set().union(*(one.plain for one in templates))
    named: dict[str, set[str]] = {}
    for one in templates:
        for module, names in one.named.items():
            named.setdefault(module, set()).update(names)
    lines = {line: line.split()[1] for line in plain}
    lines |= {f"from {module} import {', '.join(sorted(names, key=_kind))}": module for module, names in named.items()}
    ordered = sorted(lines, key=lambda line: (line.startswith("from"), lines[line]))
    sections: list[list[str]] = [[], [], []]
    for line in ordered:
        root = lines[line].partition(".")[0]
        sections[0 if root == "__future__" else 1 if root in sys.stdlib_module_names else 2].append(line)
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _kind(name: str) -> tuple[bool, bool, str]:
    """Constants first, then classes, then functions."""
    return not name.isupper(), not name[0].isupper(), name
