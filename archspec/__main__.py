"""`python -m archspec`."""

from __future__ import annotations

from archspec.cli import main

main()
