"""Bias audit: do the files alone, without their pixels, tell real from fake?

Reals saved as JPEG against fakes saved as PNG, or of another size, let a detector score
well without looking at a picture ("Fake or JPEG?", arXiv 2403.17608).
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from nsnet.core.contracts import make
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import BiasAudit, Images, Samples
from nsnet.corpus.pairings import Pairing, pairings
from nsnet.corpus.settings import Audit

# The file's size in bytes is left out: at one quality it measures the picture's content.
FACTS = ("format", "mode", "width", "height", "aspect", "jpeg_quality", "has_exif")
FOLDS = 5


def audit_corpus(paths: Paths, settings: Audit) -> pl.DataFrame:
    """Write and return the table bias_audit.

    Args:
        paths: project whose tables images and samples are read.
        settings: the section audit.

    Returns:
        The table, as written.

    Raises:
        FileNotFoundError, ValueError: as `nsnet.core.parquet.read_table` and `pairings`.
    """
    images, samples = (read_table(kind, paths.table(kind)) for kind in (Images, Samples))
    table = audit(images, pairings(samples), settings.flag_auc, settings.seed)
    write_table(BiasAudit, table, paths.table(BiasAudit))
    return table


def audit(images: pl.DataFrame, pairs: list[Pairing], flag_auc: float, seed: int) -> pl.DataFrame:
    """The table bias_audit: what real and fake files look like, and how well they are told apart by that.

    Args:
        images: the table images.
        pairs: generators with their pools.
        flag_auc: flagged from this AUC on, if its 95 % interval lies above one half.
        seed: of the folds.

    Returns:
        The table bias_audit, a row for each pairing.
    """
    facts = images.filter(status="used").with_columns(aspect=pl.col("width") / pl.col("height"))
    rows = []
    for pair in pairs:
        real, fake = (facts.filter(pl.col("image_id").is_in(ids)).sort("image_id") for ids in (pair.real, pair.fake))
        auc, low, high = file_auc(real, fake, seed)
        flagged = auc is not None and auc >= flag_auc and low > 0.5
        row = {"suite": pair.suite, "generator": pair.generator, "family": pair.family, "flagged": flagged}
        row |= {"auc": auc, "auc_low": low, "auc_high": high}
        for side, files in (("real", real), ("fake", fake)):
            row |= {f"{name}_{side}": value for name, value in _describe(files).items()}
        rows.append(row | {"sentence": _sentence(row)})
    return make(BiasAudit, rows).sort("suite", "generator")


def file_auc(real: pl.DataFrame, fake: pl.DataFrame, seed: int) -> tuple[float | None, float, float]:
    """Out-of-fold AUC of a small decision tree on the files' facts, with its 95 % interval.

    Args:
        real, fake: rows of the table images, with a column aspect.
        seed: of the folds.

    Returns:
        AUC, lower and upper end; the AUC is None, and the interval 0..1, with fewer than two
        files on a side.
    """
    folds = min(FOLDS, real.height, fake.height)
    if folds < 2:
        return None, 0.0, 1.0
    encoded = _encode(pl.concat([real, fake]).select(FACTS))
    labels = np.repeat([0, 1], [real.height, fake.height])
    tree = DecisionTreeClassifier(max_depth=4, class_weight="balanced", random_state=seed)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    scores = cross_val_predict(tree, encoded, labels, cv=split, method="predict_proba")[:, 1]
    auc = float(roc_auc_score(labels, scores))
    half = 1.96 * _standard_error(auc, real.height, fake.height)
    return auc, max(0.0, auc - half), min(1.0, auc + half)


def _standard_error(auc: float, n_real: int, n_fake: int) -> float:
    """Hanley and McNeil (1982), equation 2."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (n_fake - 1) * (q1 - auc**2) + (n_real - 1) * (q2 - auc**2)
    return math.sqrt(max(0.0, spread) / (n_real * n_fake))


def _encode(facts: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Numbers as they are, -1 where there is none; words as places in the sorted vocabulary."""
    columns = [
        facts[name].cast(pl.Float64).fill_null(-1)
        if name not in ("format", "mode")
        else facts[name].fill_null("").rank("dense").cast(pl.Float64)
        for name in FACTS
    ]
    return np.stack([column.to_numpy() for column in columns], axis=1)


def _describe(files: pl.DataFrame) -> dict[str, Any]:
    sizes = pl.Series(f"{width} x {height}" for width, height in files.select("width", "height").iter_rows())
    quality, exif, aspect = (files[name].cast(pl.Float64).to_numpy() for name in ("jpeg_quality", "has_exif", "aspect"))
    return {
        "n": files.height,
        "formats": _shares(files["format"]),
        "modes": _shares(files["mode"]),
        "sizes": _shares(sizes),
        "aspect": float(np.median(aspect)) if len(aspect) else None,
        "jpeg_quality": float(np.nanmedian(quality)) if not np.isnan(quality).all() else None,
        "exif": float(np.mean(exif)) if len(exif) else None,
    }


def _shares(values: pl.Series, shown: int = 3) -> str:
    """The most frequent values with their shares, such as `JPEG 75 %, PNG 25 %`."""
    counts = Counter(values.to_list())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    text = ", ".join(f"{value} {100 * count / len(values):.0f} %" for value, count in ranked[:shown])
    return text + (f" and {len(ranked) - shown} more" if len(ranked) > shown else "")


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _sentence(row: dict[str, Any]) -> str:
    """What a reader should know about one generator."""
    if row["auc"] is None:
        return "too few files to audit"
    sentence = f"files alone reach AUC {row['auc']:.2f}"
    if not row["flagged"]:
        return f"{sentence}: they do not give the label away"
    names = {
        "formats": "format",
        "sizes": "size",
        "aspect": "aspect",
        "jpeg_quality": "JPEG quality",
        "modes": "mode",
        "exif": "EXIF share",
    }
    shown = {key: [_shown(row[f"{key}_{side}"]) for side in ("real", "fake")] for key in names}
    differing = [f"{names[key]} {real} against {fake}" for key, (real, fake) in shown.items() if real != fake]
    how = "; ".join(differing) or "the same on average, not in how they are spread"
    return f"{sentence} and give the label away; real against fake: {how}"
