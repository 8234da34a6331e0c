"""Versions of the raw corpora: what changed by generator, and where it came from.

DVC keeps the files; data.dvc points at them. Here its differences are told by generator,
and the pointer is given its provenance.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from dvc.api import DVCFileSystem
from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update
from dvc_data.index import DataIndexDirError

from nsnet.core.files import atomic_path
from nsnet.core.paths import Paths
from nsnet.corpus.layouts import Role, roles
from nsnet.corpus.manifests import NAMES, listed_roles
from nsnet.corpus.tree import file_names
from nsnet.suites import suites

DIFFERENCES = {"suite": pl.String, "generator": pl.String, "added": pl.Int64, "removed": pl.Int64, "changed": pl.Int64}
POINTER = "data.dvc"
ELSEWHERE = ("(no suite)", "(no generator)")
Changes = dict[str, list[dict[str, Any]]]  # DVC's report: entries by kind of change


def data_diff(root: Path, revision: str) -> pl.DataFrame:
    """Generators of data/ with files added, removed or changed between a git revision and now.

    Args:
        root: the project.
        revision: as git knows it.

    Returns:
        Columns suite, generator, added, removed, changed; reals are under their pool's name, and
        a renamed file is one removed and one added.

    Raises:
        FileNotFoundError: there is no data/ to compare.
        ValueError: DVC cannot compare, with its reason.
    """
    if not Paths(root).data.exists():
        raise FileNotFoundError(f"no {Paths(root).data}: `dvc pull data.dvc` fetches it, `dvc repro` renders the lab's")
    return by_generator(root, revision, differences(root, revision))


def differences(root: Path, revision: str, deep: bool = False) -> Changes:
    """What DVC says has changed in data/.

    Args:
        root: the project.
        revision: as git knows it.
        deep: hash every file again; else those alone whose size or time has changed.

    Returns:
        DVC's own report: entries by kind of change.

    Raises:
        ValueError: DVC cannot compare, with its reason.
    """
    words = ("diff", "--json", revision, "--targets", "data")
    if not deep:
        return json.loads(_dvc(root, *words) or "{}")
    # DVC may still be writing there when it has answered.
    with TemporaryDirectory(ignore_cleanup_errors=True) as memory:
        return json.loads(_dvc(root, *words, environment={"DVC_SITE_CACHE_DIR": memory}) or "{}")


def by_generator(root: Path, revision: str, changes: Changes) -> pl.DataFrame:
    """Changes counted by generator.

    Args:
        root, revision: what was compared.
        changes: DVC's report.

    Returns:
        As `data_diff`.

    Raises:
        ValueError: a manifest is none.
    """
    before, now = _owners(root, revision), _owners(root, None)
    # All names together: a suite is recognised by its whole tree, not by one file.
    names = {_name(path) for kind in changes.values() for entry in kind for path in changed_paths(entry)}
    placed = {role.path: role for role in roles(sorted({*names, *file_names(root / "data", [], {})}), "data", None)[0]}
    counts: dict[tuple[str, str], dict[str, int]] = {}

    def count(path: str, owners: dict[str, Role], kind: str) -> None:
        name = _name(path)
        if Path(name).name in NAMES or path.endswith("/"):  # a manifest is no generator's, a folder no file
            return
        role = owners.get(name) or placed.get(name)
        key = (role.suite, role.generator) if role else ELSEWHERE
        counts.setdefault(key, {"added": 0, "removed": 0, "changed": 0})[kind] += 1

    for kind, owners in (("added", now), ("deleted", before), ("modified", now)):
        for entry in changes.get(kind, []):
            count(entry["path"], owners, {"deleted": "removed", "modified": "changed"}.get(kind, kind))
    for entry in changes.get("renamed", []):
        count(entry["path"]["old"], before, "removed")
        count(entry["path"]["new"], now, "added")
    if not counts and any(changes.get(kind) for kind in ("added", "deleted", "modified", "renamed")):
        # A manifest, or a listing that is in no cache: that there is a difference is all DVC can say.
        counts[ELSEWHERE] = {"added": 0, "removed": 0, "changed": 1}
    rows = [{"suite": suite, "generator": name, **numbers} for (suite, name), numbers in sorted(counts.items())]
    return pl.DataFrame(rows, schema=DIFFERENCES)


def _name(path: str) -> str:
    return path.removeprefix("data/")


def changed_paths(entry: dict[str, Any]) -> list[str]:
    """The path of one of DVC's differences, or both of a renamed file."""
    path = entry["path"]
    return list(path.values()) if isinstance(path, dict) else [path]


def pin(root: Path, samples: pl.DataFrame, images: pl.DataFrame, accessed: str) -> dict[str, Any]:
    """Write each suite's provenance, and each generator's files and checksum, into data.dvc; return what was written.

    Args:
        root: the project.
        samples, images: tables of the corpus stage.
        accessed: day on which the pictures were fetched, YYYY-MM-DD.

    Returns:
        Provenance by suite, with its generators.

    Raises:
        OSError: data.dvc cannot be read or written.
    """
    corpora = {suite: _provenance(suite, accessed) for suite in samples["suite"].unique().sort()}
    used = images.filter(status="used").select("path", "image_id")
    rows = samples.select("suite", "generator", "image_id").unique().join(used, on="image_id")
    for (suite, generator), files in sorted(rows.partition_by("suite", "generator", as_dict=True).items()):
        pairs = files.select("path", "image_id").sort("path").rows()
        listing = "\n".join(f"{image_id} {path}" for path, image_id in pairs)
        record = {"images": files.height, "sha256": hashlib.sha256(listing.encode()).hexdigest()[:16]}
        corpora[suite]["generators"][generator] = record
    pointer = root / POINTER
    # DVC's own reader and writer: it keeps comments, and DVC, which rewrites the file, will change no byte of it.
    content = parse_yaml_for_update(pointer.read_text(encoding="utf-8"), str(pointer))
    content["desc"] = "Raw corpora: " + ", ".join(str(facts["title"]) for facts in corpora.values())
    content["meta"] = {"corpora": corpora}
    with atomic_path(pointer) as temporary:
        temporary.write_text(dumps_yaml(content), encoding="utf-8")
    return corpora


def _provenance(suite: str, accessed: str) -> dict[str, Any]:
    known = suites().get(suite)
    if known is None:
        unknown = "not registered: fill in by hand"
        facts = {"title": suite, "producer": unknown, "citation": unknown, "url": unknown, "licence": unknown}
    else:
        producer = re.split(r"[:.]", known.citation)[0]
        facts = {"title": known.title, "producer": producer, "citation": known.citation.strip()}
        facts |= {"url": "; ".join(known.hosts), "licence": known.licence}
    return {**facts, "accessed": accessed, "generators": {}}


def _owners(root: Path, revision: str | None) -> dict[str, Role]:
    """Roles by path below data/ that the manifests of a revision, or those of now, tell."""
    if revision is None:
        return {role.path: role for role in listed_roles(root / "data", "data", None)[0]}
    tracked = DVCFileSystem(str(root), rev=revision)
    try:
        tops = [Path(entry).name for entry in tracked.ls("data", detail=False)]
    except (FileNotFoundError, DataIndexDirError):  # no data then, or its listing is in no cache
        return {}
    with TemporaryDirectory() as folder:
        for name in [*NAMES, *(f"{top}/{name}" for top in tops if top not in NAMES for name in NAMES)]:
            if tracked.exists(f"data/{name}"):
                Path(folder, name).parent.mkdir(exist_ok=True)
                with suppress(FileNotFoundError):  # it is in no cache
                    tracked.get_file(f"data/{name}", str(Path(folder, name)))
        return {role.path: role for role in listed_roles(Path(folder), "data", None)[0]}


def _dvc(root: Path, *words: str, environment: Mapping[str, str] | None = None) -> str:
    command = [sys.executable, "-m", "dvc", *words]
    variables = {**os.environ, **(environment or {})}
    finished = subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True)
    if finished.returncode:
        raise ValueError(f"dvc {' '.join(words)} failed:\n{finished.stderr.strip()}")
    return finished.stdout
