"""Draw the pictures of docs/pictures from the specs that ship."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from archspec.spec import load
from archspec.views.diagram.draw import diagram
from archspec.views.mask_picture import mask_chart
from archspec.views.relation_picture import relation_chart

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
PICTURES: Mapping[str, Callable[[], str]] = {
    "transformer-base.svg": lambda: diagram(load("transformer-base")),
    "vit-b16.svg": lambda: diagram(load("vit-b16")),
    "mixtral-8x7b.svg": lambda: diagram(load("mixtral-8x7b")),
    "masks.svg": lambda: mask_chart(load("modernbert-base"), "states").svg(),
    "relation.svg": lambda: relation_chart(load("prefix-lm-base"), "ids", "logits").svg(),
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (FOLDER / name).write_text(draw(), encoding="utf-8")
        print(f"wrote {FOLDER / name}")
