"""The one thing that pyproject.toml cannot say: `specs/` is installed as `archspec/specs/`.

A second entry in `package-dir` would say it too, but then an editable installation needs a finder.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithSpecs(build_py):
    """Copies the shipped specs into the package; an editable installation reads them where they are."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copytree("specs", Path(self.build_lib, "archspec", "specs"), dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithSpecs})
