"""Where everything lies: one place that derives every path from the project's root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nsnet.core.contracts import Table, table_name, table_stage


@dataclass(frozen=True)
class Paths:
    """Paths below a project root (the folder with dvc.yaml)."""

    root: Path = Path()

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def scores(self) -> Path:
        """Scores of external detectors, imported (nsnet.evaluation.score_store)."""
        return self.root / "scores"

    @property
    def lab(self) -> Path:
        """Raw corpus rendered by the stage `lab`."""
        return self.root / "lab"

    @property
    def data(self) -> Path:
        """Raw corpora under version control (data.dvc)."""
        return self.root / "data"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    def table(self, kind: type[Table]) -> Path:
        """The Parquet file of a table."""
        return self.artifacts / table_stage(kind) / f"{table_name(kind)}.parquet"

    @property
    def store(self) -> Path:
        """What saves time and changes no result: keyed by content, beside DVC, deleted by `prune` commands only."""
        return self.root / "store"

    @property
    def scan_index(self) -> Path:
        """What the last scan found, by path, size and time."""
        return self.store / "scan" / "index.parquet"

    @property
    def feature_store(self) -> Path:
        """Features of every picture, backbone and condition seen so far."""
        return self.store / "features"

    @property
    def shards(self) -> Path:
        """On the way between those who encode and the store of features, unless params.yaml names another place."""
        return self.store / "shards"

    @property
    def pixel_store(self) -> Path:
        """Views as arrays on disk, for detectors that read pixels."""
        return self.store / "pixels"

    @property
    def caption_store(self) -> Path:
        """Captions that a model wrote."""
        return self.store / "captions"

    @property
    def run_store(self) -> Path:
        """Every training so far, with its detector and its scores."""
        return self.store / "runs"

    @property
    def deep_check(self) -> Path:
        """When all of data/ was last read again and was what is committed."""
        return self.store / "nightly" / "deep_check.json"

    @property
    def nights(self) -> Path:
        """What the nightly evaluation published: append-only."""
        return self.root / "nights"

    @property
    def published(self) -> Path:
        """The catalogue that readers open: of the accepted night, with all nights."""
        return self.nights / self.database.name

    @property
    def detectors(self) -> Path:
        return self.artifacts / "train" / "detectors"

    def cost(self, stage: str) -> Path:
        """Seconds and memory of a stage's last run; not reproducible, so no stage's output."""
        return self.artifacts / "costs" / f"{stage}.json"

    @property
    def metrics(self) -> Path:
        """Headline figures for `dvc metrics show`."""
        return self.root / "metrics.json"

    @property
    def tables(self) -> Path:
        return self.root / "tables"

    @property
    def database(self) -> Path:
        return self.root / "nsnet.duckdb"
