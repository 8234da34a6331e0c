"""Training sets as what they are made of: their pictures and labels, and nothing of the test pictures."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from nsnet.core.provenance import digest


@dataclass(frozen=True)
class Pictures:
    """The pictures of one split, sorted by image_id, each once; 1 is fake."""

    image_ids: tuple[str, ...]
    labels: tuple[int, ...]

    def __hash__(self) -> int:
        return hash((len(self.image_ids), self.image_ids[:1], self.image_ids[-1:]))


@dataclass(frozen=True)
class TrainingSet:
    """A training set.

    Attributes:
        name: samples.training_set.
        suites: whose pictures they are.
        train: what detectors are fitted on.
        validation: what settings and thresholds are chosen on.
        checksum: of both splits' pictures with their labels.
        draw: of a drawn set, which one; else None.
        draws: how many there are of it; seed s trains on draw s modulo their number.
    """

    name: str
    suites: tuple[str, ...]
    train: Pictures
    validation: Pictures
    checksum: str
    draw: int | None = None
    draws: int = 1

    @property
    def title(self) -> str:
        """How messages call it."""
        return _title(self.name, self.draw)

    def trains(self, seed: int) -> bool:
        """Whether a seed trains on it."""
        return self.draw is None or seed % self.draws == self.draw


def training_sets(samples: pl.DataFrame) -> list[TrainingSet]:
    """The training sets of a corpus, by name and draw.

    Args:
        samples: table samples; a picture listed twice in a split counts once.

    Raises:
        ValueError: all sets at once that lack reals or fakes in a split, or call a picture both.
    """
    rows = samples.filter(pl.col("split") != "test", pl.col("training_set").is_not_null())
    sets, faults = [], []
    keys = ["training_set", "draw"]
    draws = dict(rows.group_by("training_set").agg(pl.col("draw").n_unique()).iter_rows())
    for (name, draw), part in rows.sort(keys).group_by(keys, maintain_order=True):
        title = _title(str(name), draw)
        splits = {}
        for split in ("train", "validation"):
            labelled = part.filter(pl.col("split") == split).select("image_id", "label").unique().sort("image_id")
            labels = labelled["label"]
            reals, fakes = int((labels == 0).sum()), int((labels == 1).sum())
            if not (reals and fakes):
                faults.append(f"  {title}: split {split} has {reals} real and {fakes} fake images; both are needed")
            twice = labelled.filter(pl.col("image_id").is_duplicated())
            if twice.height:
                faults.append(f"  {title}: split {split} calls {twice['image_id'][0]} real and fake")
            splits[split] = Pictures(tuple(labelled["image_id"]), tuple(labels))
        checksum = digest({split: [pictures.image_ids, pictures.labels] for split, pictures in splits.items()})
        suites = tuple(part["suite"].unique().sort())
        sets.append(TrainingSet(str(name), suites, splits["train"], splits["validation"], checksum, draw, draws[name]))
    if not sets:
        faults.append("  the table samples has no training pictures")
    if faults:
        raise ValueError("no detector can be trained on these training sets:\n" + "\n".join(faults))
    return sets


def _title(name: str, draw: int | None) -> str:
    return name if draw is None else f"{name}, draw {draw}"
