"""How much content is left in image features after the text directions are projected out?

Explains the controls table: it looks at training and validation pictures only, and at no
test generator.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.corpus.content import has_content
from nsnet.corpus.contracts import Samples
from nsnet.features.contracts import Features as FeatureTable
from nsnet.features.matrices import FeatureReader
from nsnet.lab.corpus import BIASED, UNBIASED
from nsnet.params import load_params
from nsnet.semantics.contracts import SemanticBasis
from nsnet.semantics.null_space import load_text_directions

Features = npt.NDArray[np.float32]


def leakage(paths: Paths, view: str, ranks: list[int]) -> pl.DataFrame:
    """Linear probes on projected, L2-normalised features, judged on the unbiased validation split.

    Args:
        paths: a project whose `dvc repro` has run.
        view: what the features are of; the mosaic's draw 0, under the first of train.conditions.
        ranks: numbers of text directions to remove, those of the training set that the probe is trained on.

    Returns:
        Per rank: `content`, accuracy of telling the two content sides apart; `fake`, of
        telling fakes after unbiased training; `fake, biased`, after training under the
        planted bias. Chance is 0.5.

    Raises:
        FileNotFoundError, ValueError: as `read_table`, `load_params`, `load_text_directions`, `load_backbone`
            and `FeatureReader.matrix`.
    """
    from nsnet.features.backbone import load_backbone  # open_clip takes seconds

    params = load_params(paths.params)
    samples = read_table(Samples, paths.table(Samples))
    table = read_table(SemanticBasis, paths.table(SemanticBasis))
    vectors = {name: load_text_directions(table, name) for name in (UNBIASED, BIASED)}
    reader, backbone = FeatureReader(paths.table(FeatureTable)), load_backbone(params.backbone)
    words = params.semantics.pool.content

    def split(name: str, training_set: str) -> tuple[Features, list[bool], list[int]]:
        rows = samples.filter(split=name, training_set=training_set).sort("image_id")
        image_ids = rows["image_id"].to_list()
        features = reader.matrix(backbone.id, params.train.conditions[0], view, 0, image_ids)
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        return unit, has_content(rows["caption"].to_list(), words).tolist(), rows["label"].to_list()

    train, side, label = split("train", UNBIASED)
    biased, _, biased_label = split("train", BIASED)
    check, check_side, check_label = split("validation", UNBIASED)
    accuracies = []
    for rank in ranks:
        probes = {
            "content": (UNBIASED, train, side, check_side),
            "fake": (UNBIASED, train, label, check_label),
            "fake, biased": (BIASED, biased, biased_label, check_label),
        }
        row: dict[str, str | int | float] = {"view": view, "directions removed": rank}
        for name, (training_set, rows, truth, check_truth) in probes.items():
            projection = vectors[training_set].first(rank).projection
            probe = make_pipeline(StandardScaler(with_std=False), LogisticRegression(C=1e4, max_iter=3000))
            row[name] = float(probe.fit(rows @ projection, truth).score(check @ projection, check_truth))
        accuracies.append(row)
    return pl.DataFrame(accuracies)
