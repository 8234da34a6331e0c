"""DVC's own files, which DVC does not write in one step: a kill or a full disk can leave them empty or cut off."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from dvc.schema import COMPILED_LOCKFILE_SCHEMA, COMPILED_SINGLE_STAGE_SCHEMA
from voluptuous import Invalid

from nsnet.core.files import atomic_path

SCHEMAS = {"dvc.lock": COMPILED_LOCKFILE_SCHEMA, "data.dvc": COMPILED_SINGLE_STAGE_SCHEMA}
ASIDE = Path(".dvc", "tmp", "damaged")


def mend_lock(root: Path) -> list[str]:
    """Restore dvc.lock and data.dvc from the last commit where DVC cannot read them; what they held is set aside.

    Nothing is computed again but what ran since that commit, and of that only what DVC's run cache lacks.

    Args:
        root: the project.

    Returns:
        A sentence for each file that was restored.

    Raises:
        OSError: a file cannot be read or written.
    """
    sentences = []
    for name in SCHEMAS:
        reason = _fault(root / name)
        if reason is None:
            continue
        aside = root / ASIDE / name
        aside.parent.mkdir(parents=True, exist_ok=True)
        committed = _committed(root, name)
        if committed is None:
            (root / name).replace(aside)
            rest = "no commit holds another, so every stage is looked at again"
        else:
            aside.write_bytes((root / name).read_bytes())
            with atomic_path(root / name) as temporary:
                temporary.write_bytes(committed)
            rest = "restored from the last commit"
        sentences.append(f"{name} could not be read ({reason}): {rest}; what it held is in {ASIDE / name}")
    return sentences


def _fault(path: Path) -> str | None:
    """Why DVC cannot read a file; None if it can, or if there is no file."""
    if not path.exists():
        return None
    try:
        content = path.read_bytes().decode("utf-8")
        if not content.strip():
            return "it is empty"
        SCHEMAS[path.name](yaml.safe_load(content))
    except (UnicodeDecodeError, yaml.YAMLError, Invalid) as error:
        return str(error).splitlines()[0]
    return None


def _committed(root: Path, name: str) -> bytes | None:
    """A file as the last commit has it; None if it has none, or an empty one."""
    shown = subprocess.run(["git", "show", f"HEAD:./{name}"], cwd=root, capture_output=True)
    return shown.stdout if shown.returncode == 0 and shown.stdout.strip() else None
