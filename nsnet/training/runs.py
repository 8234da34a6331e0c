"""Every training so far, by what determines it: detector, facts and scores, verified whenever read."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from nsnet.core.files import atomic_path
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import file_sha256
from nsnet.training.contracts import Runs

DETECTOR, FACTS, SCORES, CHECKPOINTS = "detector.safetensors", "run.json", "scores", "checkpoints"
SCORE_SCHEMA = {"image_id": pl.String(), "score": pl.Float64()}
# Before the name of a run that was found damaged.
DAMAGED = ".damaged-"


class RunStore:
    """Folders <run_id>/ with detector.safetensors, run.json (written last: a run with it is whole) and scores."""

    def __init__(self, folder: Path) -> None:
        """Keep runs in a folder, which need not exist yet."""
        self.folder = folder

    def detector(self, run_id: str) -> Path:
        """File of a run's detector."""
        return self.folder / run_id / DETECTOR

    def checkpoints(self, run_id: str) -> Path:
        """Folder of what a training leaves behind while it goes on."""
        return self.folder / run_id / CHECKPOINTS

    def ids(self) -> list[str]:
        """The whole runs, sorted."""
        return sorted(
            file.parent.name for file in self.folder.glob(f"*/{FACTS}") if not file.parent.name.startswith(DAMAGED)
        )

    def find(self, run_id: str) -> dict[str, Any] | None:
        """Facts of a run: its row of the table runs, `seconds` and more; None if it has not been trained.

        A damaged run is named on stderr, set aside and counts as not trained.
        """
        if not (self.folder / run_id / FACTS).exists():
            return None
        try:
            return self.read(run_id)
        except (ValueError, OSError) as error:
            aside = self.folder / f"{DAMAGED}{run_id}"
            shutil.rmtree(aside, ignore_errors=True)
            (self.folder / run_id).rename(aside)
            print(f"run {run_id} is trained again: {error}; the old one is set aside as {aside}", file=sys.stderr)
            return None

    def read(self, run_id: str) -> dict[str, Any]:
        """Facts of a run, once its detector is what was kept.

        Raises:
            ValueError: run.json or the detector is damaged.
            FileNotFoundError: there is no such run.
        """
        facts = self.facts(run_id)
        found, expected = file_sha256(self.detector(run_id)), facts["detector_sha256"]
        if found != expected:
            raise ValueError(f"{self.detector(run_id)} has sha256 {found[:12]}, expected {expected[:12]}")
        return facts

    def facts(self, run_id: str) -> dict[str, Any]:
        """Facts of a run; its detector is not looked at.

        Raises:
            ValueError: run.json is damaged.
            FileNotFoundError: there is no such run.
        """
        file = self.folder / run_id / FACTS
        try:
            facts = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file} is no JSON ({error})") from error
        if not isinstance(facts, dict) or not isinstance(facts.get("detector_sha256"), str):
            raise ValueError(f"{file} has no detector_sha256")
        return facts

    def keep(self, run_id: str, facts: Mapping[str, Any], save: Callable[[Path], str]) -> dict[str, Any]:
        """Keep a run, and drop its checkpoints.

        Args:
            run_id: its name.
            facts: JSON-able, what run.json shall hold.
            save: writes the detector to a file and returns its sha256, which joins the facts.

        Returns:
            The facts as kept.
        """
        whole = {**facts, "detector_sha256": save(self.detector(run_id))}
        with atomic_path(self.folder / run_id / FACTS) as temporary:
            temporary.write_text(json.dumps(whole, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        shutil.rmtree(self.checkpoints(run_id), ignore_errors=True)
        return whole

    def scores(self, run_id: str, condition_id: str) -> pl.DataFrame:
        """All scores of a run under a condition that are known: image_id and score, sorted, each image once.

        A damaged part is named on stderr, set aside and counts as not scored.
        """
        parts = [pl.DataFrame(schema=SCORE_SCHEMA)]
        for file in sorted((self.folder / run_id / SCORES).glob(f"{condition_id}-*.parquet")):
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() == file.stem.removeprefix(f"{condition_id}-"):
                parts.append(pl.read_parquet(content))
            else:
                aside = file.with_suffix(".damaged")
                file.rename(aside)
                print(f"{file} is damaged and set aside as {aside}: its images are scored again", file=sys.stderr)
        return pl.concat(parts).unique("image_id", keep="first", maintain_order=True).sort("image_id")

    def add_scores(self, run_id: str, condition_id: str, rows: pl.DataFrame) -> None:
        """Add scores of a run, as a part of their own that is named by its bytes.

        Args:
            run_id: whose.
            condition_id: condition that the pictures were shown under.
            rows: image_id and score.
        """
        if rows.is_empty():
            return
        folder = self.folder / run_id / SCORES
        buffer = io.BytesIO()
        rows.select(pl.col(name).cast(kind) for name, kind in SCORE_SCHEMA.items()).sort("image_id").write_parquet(
            buffer, compression="zstd"
        )
        name = f"{condition_id}-{hashlib.sha256(buffer.getvalue()).hexdigest()}.parquet"
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(buffer.getvalue())

    def prune(self, wanted: Iterable[str], dry_run: bool = False) -> list[str]:
        """Delete every run but the wanted ones, and whatever was left unfinished or set aside.

        Args:
            wanted: run_ids to keep.
            dry_run: delete nothing.

        Returns:
            Names of the folders that are, or would be, deleted.
        """
        kept = set(wanted)
        folders = sorted(path for path in self.folder.glob("*") if path.is_dir() and path.name not in kept)
        for path in folders if not dry_run else []:
            shutil.rmtree(path)
        return [path.name for path in folders]


def asked_runs(paths: Paths) -> set[str]:
    """The run_ids of a project's table runs.

    Raises:
        FileNotFoundError, ValueError: as `read_table`.
    """
    return set(read_table(Runs, paths.table(Runs))["run_id"])
