"""Golden scores: pictures with the same bytes everywhere, and a tolerance that tells machines from mistakes."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nsnet
from nsnet.core.paths import Paths
from nsnet.prediction import golden
from nsnet.prediction.exports import deviations, facts_of
from nsnet.prediction.golden import TOLERANCE, deviation, golden_pictures, golden_scores
from nsnet.prediction.loading import trained_detectors
from nsnet.training.exports import SHIPPED
from tests.conftest import ROOT, environment
from tests.predictors import nsnet as command

NAMES = ("cnn-control", "nsnet", "univfd")
# Of the pictures' bytes; whole numbers, so that no machine makes others.
PINNED = "250c32921dc52ac9"
SCRIPT = """
import json, sys, nsnet, torch
from nsnet.prediction.golden import golden_scores
torch.backends.mkldnn.enabled = False
print(json.dumps({name: golden_scores(nsnet.load(name, detectors=sys.argv[1])) for name in sys.argv[2:]}))
"""


def test_pictures_are_five_of_the_same_bytes_everywhere() -> None:
    pictures = golden_pictures()
    assert len(pictures) == 5 and {(one.shape, str(one.dtype)) for one in pictures} == {((176, 208, 3), "uint8")}
    assert hashlib.sha256(b"".join(one.tobytes() for one in pictures)).hexdigest()[:16] == PINNED


def test_patches_of_a_mosaic_follow_from_no_rounding() -> None:
    """The nearest entropies of two patches lie far above the errors of an FFT in float64, some 1e-13 bits."""
    from nsnet.features.patches import spectral_entropy

    for one in golden_pictures():
        assert np.diff(np.sort(spectral_entropy(one, 16).ravel())).min() > 1e-8


def test_shipped_detectors_score_as_they_did_where_they_were_exported() -> None:
    found = {run["detector"]: found for run, found in deviations(trained_detectors(detectors=SHIPPED.root), None)}
    assert sorted(found) == list(NAMES)
    assert max(found.values()) < TOLERANCE, found


def test_other_arithmetic_stays_far_within_the_tolerance() -> None:
    """Plain loops without vector units, and another library's convolutions: a hundredth of the tolerance."""
    plain = {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(SHIPPED.root), *NAMES],
        env={**environment(ROOT), **plain}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    other = json.loads(done.stdout)
    for name in NAMES:
        usual = golden_scores(nsnet.load(name, detectors=SHIPPED.root))
        assert 0 < deviation(usual, other[name]) < TOLERANCE / 100, name


def swapped(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[:, :, ::-1])


def shifted(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.roll(pixels, 1, axis=1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", [swapped, shifted])
def test_a_wrong_pixel_order_is_seen(name: str, wrong: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    detector = nsnet.load(name, detectors=SHIPPED.root)
    usual = golden_scores(detector)
    monkeypatch.setattr(golden, "golden_pictures", lambda: [wrong(one) for one in golden_pictures()])
    assert deviation(golden_scores(detector), usual) > 10 * TOLERANCE


def test_wrong_preprocessing_is_seen() -> None:
    detector = nsnet.load("univfd", detectors=SHIPPED.root)
    usual = golden_scores(detector)
    tower = detector._scorer.backbone
    assert tower is not None
    tower.record["std"] = [0.229, 0.224, 0.225]  # ImageNet's in place of CLIP's
    assert deviation(golden_scores(detector), usual) > 10 * TOLERANCE
    tower.record["std"] = [0.26862954, 0.26130258, 0.27577711]
    assert deviation(golden_scores(detector), usual) == 0


def test_deviations_are_of_logits_and_finite() -> None:
    assert deviation([0.5, 1.0], [0.5, 1.0]) == 0
    assert deviation([0.5], [1 / (1 + np.exp(-0.25))]) == pytest.approx(0.25)
    assert np.isfinite(deviation([0.0], [1.0]))
    with pytest.raises(ValueError, match="2 golden scores are pinned; expected 1"):
        deviation([0.5], [0.5, 0.5])


def test_the_command_fails_where_scores_differ_or_none_are_pinned(tmp_path: Path) -> None:
    assert command(tmp_path, "detectors", "check", "--detectors", str(SHIPPED.root)).exit_code == 0
    copy = Paths(tmp_path / "copy")
    shutil.copytree(SHIPPED.root, copy.root)
    trained = trained_detectors(detectors=copy.root)
    run = next(run for run in trained.runs.to_dicts() if run["detector"] == "univfd")
    file = copy.detectors / f"{run['run_id']}.json"
    pinned = facts_of(trained, run).golden
    assert pinned is not None
    file.write_text(json.dumps({"golden": [pinned[0] * 1.05, *pinned[1:]]}))
    finished = command(tmp_path, "detectors", "check", "--detectors", "copy")
    assert finished.exit_code == 1 and "3 detectors checked, 1 score otherwise here" in finished.stderr
    for path in copy.detectors.glob("*.json"):
        path.unlink()
    finished = command(tmp_path, "detectors", "check", "--detectors", "copy")
    assert finished.exit_code == 1 and "no scores are pinned in copy" in finished.stderr
