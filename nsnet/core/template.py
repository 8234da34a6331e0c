"""A working project outside a checkout: the files of this one, with the code known by its checksum."""

from __future__ import annotations

import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import yaml

from nsnet.core.files import atomic_path
from nsnet.core.provenance import PACKAGE, code_checksum

# Where `pip install` puts them (pyproject.toml, data-files); a checkout has them at its top.
SHARED = "share/nsnet"
POINTER = "data.dvc"
FILES = (
    *("params.yaml", "dvc.yaml", POINTER, "prefect.yaml", "prefect.toml"),
    *(".gitignore", ".dvcignore", ".dvc/config", "scores/README.md"),
    *("flows/extract_features.py", "flows/nightly_eval.py", "flows/task_runners.py"),
    *("flows/serve.py", "flows/server.py"),
    *(".dvc/plots/page.html", ".dvc/plots/roc.json", ".dvc/plots/precision_recall.json"),
)
# Of these, what is the project's own once it is there.
OWN = ("params.yaml", POINTER, ".gitignore", ".dvc/config")
# In a checkout a stage depends on folders of code; elsewhere on a line of this file for each.
CODE = "code.yaml"


def template_folder() -> Path:
    """The folder that holds the files of a project: the checkout, or what was installed beside the package.

    Raises:
        FileNotFoundError: neither is there.
    """
    if (PACKAGE.parent / "dvc.yaml").exists():
        return PACKAGE.parent
    try:
        installed = files("nsnet") or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        if file.as_posix().endswith(f"{SHARED}/dvc.yaml"):
            return Path(str(file.locate())).resolve().parent
    raise FileNotFoundError(
        "the files of a project were not installed with nsnet: reinstall it, or clone the repository"
    )


def create_project(folder: Path, update: bool = False, data: Path | None = None) -> list[str]:
    """Make `folder` a project: settings, stages, flow and an empty history; return the names of what was written.

    Args:
        folder: made if it does not exist.
        update: bring a project that is there to this version of the code: what is its own is left as it is.
        data: folder outside the project that data.dvc imports, in place of the lab.

    Raises:
        FileExistsError: it holds some of the files already, and is not to be updated; nothing is overwritten.
        FileNotFoundError: as `template_folder`, git is not installed, or there is no folder `data`.
    """
    if data is not None and not data.is_dir():
        raise FileNotFoundError(f"{data} is not a folder: expected the corpora that data.dvc shall import")
    there = [name for name in (*FILES, CODE) if (folder / name).exists()]
    if there and not update:
        raise FileExistsError(f"{folder} has {', '.join(there)} already: name a new folder, or remove them first")
    if shutil.which("git") is None:
        raise FileNotFoundError("git is not installed: DVC keeps a project's versions in it")
    source = template_folder()
    stages, checksums = _known_by_checksum(yaml.safe_load((source / "dvc.yaml").read_text(encoding="utf-8")))
    written = {"dvc.yaml": yaml.safe_dump(stages, sort_keys=False), CODE: yaml.safe_dump(checksums)}
    wanted = [name for name in (*FILES, CODE) if name not in OWN or name not in there]
    if data is not None and _imported(folder / POINTER) != str(data.resolve()):
        imported = {"deps": [{"path": str(data.resolve())}], "outs": [{"path": "data"}]}
        written[POINTER] = yaml.safe_dump(imported, sort_keys=False)
        wanted = list(dict.fromkeys([*wanted, POINTER]))
    for name in wanted:
        with atomic_path(folder / name) as temporary:
            text = written.get(name)
            temporary.write_text(
                (source / name).read_text(encoding="utf-8") if text is None else text, encoding="utf-8"
            )
    if not any((parent / ".git").exists() for parent in (folder.resolve(), *folder.resolve().parents)):
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return wanted


def _imported(pointer: Path) -> str | None:
    """The folder that a data.dvc imports, None if there is none."""
    content = yaml.safe_load(pointer.read_text(encoding="utf-8")) if pointer.exists() else {}
    return next((dep["path"] for dep in content.get("deps", [])), None)


def _known_by_checksum(pipeline: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Stages whose dependencies on code are lines of code.yaml, and those lines."""
    checksums: dict[str, str] = {}
    stages: dict[str, Any] = {}
    for name, facts in pipeline["stages"].items():
        deps = facts.get("deps", [])
        parts = [dep.removeprefix("nsnet/") for dep in deps if dep.startswith("nsnet/")]
        # No dots: in a parameter's name they lead into a value.
        code = {part.removesuffix(".py").replace("/", "-"): part for part in parts}
        checksums |= {key: code_checksum(part) for key, part in code.items()}
        kept = [dep for dep in deps if not dep.startswith("nsnet/") and dep != "constraints.txt"]
        stages[name] = {**facts, "deps": kept, "params": [*facts.get("params", []), {CODE: sorted(code)}]}
        if not kept:
            del stages[name]["deps"]
    return {**pipeline, "stages": stages}, checksums
