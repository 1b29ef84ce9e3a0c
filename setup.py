"""The one thing that pyproject.toml cannot say: `specs/` is installed as `archspec/specs/`."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["archspec", "archspec.*"]), "archspec.specs"],
    package_dir={"archspec.specs": "specs"},
)
