"""Installs the packages of `docs/examples` for a test."""

import shutil
import tomllib
from pathlib import Path

__all__ = ["install"]


def install(*packages: Path, into: Path) -> Path:
    """Put the modules and metadata of `packages` into the folder `into`, as pip would, and return it.

    pip itself is missing in some environments, and may have no network for the build backend.
    """
    for package in packages:
        project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        name = project["name"].replace("-", "_")
        info = into / f"{name}-{project['version']}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (info / "METADATA").write_text(metadata, encoding="utf-8")
        lines = []
        for group, points in project["entry-points"].items():
            lines += [f"[{group}]", *(f"{key} = {value}" for key, value in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        shutil.copy(package / f"{name}.py", into)
    return into
