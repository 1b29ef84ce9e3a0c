"""The packages that text needs, which the extra `text` installs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from archspec.diagnostics import fail

# Older releases of Jinja let a template out of its sandbox (CVE-2025-27516), and templates come with models.
_LEAST = {"tokenizers": (0, 22), "jinja2": (3, 1, 6)}
_HELP = "pip install 'archspec-compiler[text]'"


def require(package: str) -> None:
    """Raise SpecError E604 if a package is missing or too old; imported only after this."""
    try:
        found = version(package)
    except PackageNotFoundError:
        fail("E604", f"text needs the package {package}, which is not installed", None, help=_HELP)
    if _numbers(found) < _LEAST[package]:
        least = ".".join(map(str, _LEAST[package]))
        fail("E604", f"text needs {package} {least} or newer, but {found} is installed", None, help=_HELP)


def _numbers(release: str) -> tuple[int, ...]:
    """The leading numbers of a version: (3, 1, 6) of `3.1.6.post1`."""
    parts: list[int] = []
    for part in release.split("."):
        if not part.isdecimal():
            break
        parts.append(int(part))
    return tuple(parts)
