"""Locate the specs that ship with the package."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def shipped_specs_dir() -> Path:
    """Find the folder of shipped specs, in an installation or in a checkout.

    Returns:
        the folder that holds the shipped `.yaml` files.

    Raises:
        FileNotFoundError: neither exists, so the installation is broken.
    """
    installed, checkout = PACKAGE / "specs", PACKAGE.parent / "specs"
    if installed.is_dir():
        return installed
    # Next to an installed package, a folder of that name would belong to something else.
    if checkout.is_dir() and (PACKAGE.parent / "pyproject.toml").is_file():
        return checkout
    raise FileNotFoundError(f"no shipped specs in {installed}: install archspec-compiler again")
