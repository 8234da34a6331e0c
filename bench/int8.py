"""What eight bits do to AP: a linear probe of the lab's features by `backbone.runtime: int8`, and of those by torch.

    python bench/int8.py    # after `make repro`, whose features are torch's

The probe is scikit-learn's logistic regression of UnivFD's features (view crop), with classes that weigh the same; AP
is that of each test generator's fakes among all test reals, which weigh the same. The interval is of the mean over
generators.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from extraction import CORES, TABLES, request, settings_of
from scipy.stats import bootstrap
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from targets import tell

from nsnet.features.backbone import load_backbone
from nsnet.features.extraction import update_features
from nsnet.params import load_params

# How far the mean AP may move.
MOST = 0.005


def encoded(runtime: str, folder: Path) -> Path:
    """The table features of the lab by a runtime, made anew."""
    tower, out = load_backbone(settings_of("lab-clip", runtime)), folder / "features.parquet"
    samples, batch = TABLES / "samples.parquet", load_params(Path("params.yaml")).features.batch
    places = folder / "store", out, folder / "patches.parquet"
    update_features(request(samples), tower, *places, batch=batch, workers=CORES)
    return out


def precisions(features: Path) -> dict[str, float]:
    """AP of a probe of these features, by test generator."""
    shown = pl.scan_parquet(features).filter(condition="clean", view="crop").select("image_id", "feature").collect()
    rows = pl.read_parquet(TABLES / "samples.parquet").join(shown, on="image_id", maintain_order="left")
    train, test = rows.filter(split="train"), rows.filter(split="test")
    probe = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    probe.fit(train["feature"].to_numpy(), train["label"].to_numpy())
    test = test.with_columns(score=pl.Series(probe.decision_function(test["feature"].to_numpy())))
    reals = test.filter(label=0)
    found = {}
    for (name,), fakes in sorted(test.filter(label=1).group_by("generator")):
        both = pl.concat([fakes, reals])
        weights = np.repeat([1 / fakes.height, 1 / reals.height], [fakes.height, reals.height])
        found[str(name)] = float(average_precision_score(both["label"], both["score"], sample_weight=weights))
    return found


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with TemporaryDirectory() as folder:
        eight = precisions(encoded("int8", Path(folder)))
    usual = precisions(Path("artifacts/features/features.parquet"))
    moved = np.array([eight[name] - usual[name] for name in usual])
    interval = bootstrap((moved,), np.mean, rng=0).confidence_interval
    means = (float(np.mean(list(found.values()))) for found in (usual, eight))
    print("mean AP of {} generators: torch {:.4f}, int8 {:.4f}".format(len(usual), *means))
    print(f"int8 - torch: {moved.mean():+.4f} ({interval.low:+.4f} to {interval.high:+.4f}, over generators)")
    most = max(usual, key=lambda name: abs(eight[name] - usual[name]))
    print(f"moved most: {most}, from {usual[most]:.4f} to {eight[most]:.4f}")
    tell("lab-clip, int8: its mean AP, from torch's", abs(float(moved.mean())), most=MOST)


if __name__ == "__main__":
    main()
