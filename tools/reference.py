"""Write docs/reference.md from the code."""

from __future__ import annotations

from pathlib import Path

from archspec.views.reference import reference

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"

if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    print(f"wrote {PAGE}")
