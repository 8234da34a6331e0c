"""Detectors by configuration: the parts of NS-Net, switched on or off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from nsnet.detectors.cnn import CnnDetector
from nsnet.detectors.linear import LinearDetector
from nsnet.detectors.protocol import Detector, load_weights
from nsnet.detectors.settings import DetectorConfig, Fitting
from nsnet.semantics.spectrum import null_projection, random_basis


def make_detector(
    choice: DetectorConfig, settings: Fitting, basis: npt.NDArray[np.float64]
) -> LinearDetector | CnnDetector:
    """Build an untrained detector.

    Args:
        choice: kind, view and parts.
        settings: training settings.
        basis: semantic basis, float64 (r, d); a random basis of the same rank replaces it
            where the control asks for one.
    """
    if choice.kind == "cnn":
        return CnnDetector(settings)
    rank, width = basis.shape
    removed = {
        "none": basis[:0],
        "text": basis,
        "random": random_basis(rank, width, settings.seed),
    }[choice.null_space]
    return LinearDetector(settings, null_projection(removed), choice.contrastive)


def load_detector(path: Path) -> Detector:
    """Load a trained detector.

    Raises:
        ValueError: if the file is not a detector of ours.
    """
    tensors, saved = load_weights(path)
    choice = DetectorConfig.model_validate(saved["detector"])
    settings = Fitting.model_validate(saved["train"])
    width = len(tensors["projection"]) if choice.kind == "linear" else 1
    detector = make_detector(choice, settings, np.zeros((0, width)))
    detector.module().load_state_dict(tensors)
    detector.module().eval()
    return detector
