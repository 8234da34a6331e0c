"""Why a held-out generator defeats a detector: its traces are not in the features, or are others than were learned."""

from __future__ import annotations

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from nsnet.core.progress import bar
from nsnet.studies.null_spaces import NullSpaceStudy

FOLDS = 5


def failures(study: NullSpaceStudy, families: dict[str, str]) -> pl.DataFrame:
    """How well a generator's fakes are told from reals by those who know it, and by those who do not.

    Args:
        study: of one view of the lab.
        families: of each generator.

    Returns:
        By held-out generator, hardest first: AUROC of a logistic probe that has seen fakes of this generator
        (cross-validated, as many fakes as there are), AUROC of one that was trained without bias on the training
        simulators, mean of the study's draws, and the cosine of both probes' directions. All with the cross-modal
        null space. An AUROC of 100 fakes against 500 reals has a standard error of at most 0.03.
    """
    projection = study.fixed["cross-modal"].projection
    test = study.test
    reals = np.flatnonzero(test.labels == 0)
    rows = []
    trained = []
    for seed in range(study.draws):
        places = study.train.dosed(0.5, study.per_class, seed)
        trained.append(_fitted(study.train.features[places] @ projection, study.train.labels[places]))
    with bar(f"failures, {study.view}", len(study.held_out.generators)) as advance:
        for name in study.held_out.generators:
            places = np.concatenate([reals, test.generators[name]])
            features, labels = test.features[places] @ projection, test.labels[places]
            folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
            own = cross_val_predict(_probe(), _scaled(features), labels, cv=folds, method="decision_function")
            direction = _fitted(features, labels)
            others = [float(roc_auc_score(labels, features @ one)) for one in trained]
            cosines = [float(one @ direction / np.linalg.norm(one) / np.linalg.norm(direction)) for one in trained]
            rows.append(
                {
                    "view": study.view,
                    "family": families[name],
                    "generator": name,
                    "knows it": float(roc_auc_score(labels, own)),
                    "does not": float(np.mean(others)),
                    "cosine": float(np.mean(cosines)),
                }
            )
            advance(1)
    return pl.DataFrame(rows).sort("does not", "generator")


def by_family(found: pl.DataFrame) -> pl.DataFrame:
    """Means of `failures` by family, and how many generators each cause defeats: hardest family first.

    Args:
        found: from `failures`.

    Returns:
        Means, and generators that are `opposite`: who does not know them calls their fakes more real than the reals
        (AUROC below 0.45); or `unseen`: neither probe reaches 0.8.
    """
    opposite = pl.col("does not") < 0.45
    unseen = ~opposite & (pl.max_horizontal("knows it", "does not") < 0.8)
    means = pl.col("knows it", "does not", "cosine").mean()
    counts = pl.len().alias("generators"), opposite.sum().alias("opposite"), unseen.sum().alias("unseen")
    return (
        found.group_by("view", "family")
        .agg(counts[0], means, *counts[1:])
        .sort("view", "does not", descending=[True, False])
    )


def _probe() -> LogisticRegression:
    return LogisticRegression(max_iter=2000, class_weight="balanced")


def _scaled(features: np.ndarray) -> np.ndarray:
    centred = features - features.mean(axis=0)
    scaled: np.ndarray = centred / np.sqrt((centred**2).mean())
    return scaled


def _fitted(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    direction: np.ndarray = _probe().fit(_scaled(features), labels).coef_[0]
    return direction
