"""A detector with what it needs to look at views: its backbone, if it has one, on one device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nsnet.detectors.protocol import Detector, Needs, Scores
from nsnet.features.backbone import Backbone
from nsnet.features.encode import encode_views
from nsnet.features.views import View, ViewSettings

# Views in a forward pass of the backbone: as features.batch of params.yaml says for either.
BATCH = {"cpu": 8, "cuda": 256}


@dataclass(frozen=True)
class Scorer:
    """A loaded detector.

    Attributes:
        detector: its module lies on the device.
        needs: what it is given.
        views: how pictures are shown to it.
        backbone: makes the features that it reads; None if it reads pixels.
        device: cpu or cuda; where backbone and detector compute.
    """

    detector: Detector
    needs: Needs
    views: ViewSettings
    backbone: Backbone | None
    device: str

    def score(self, views: Sequence[View]) -> Scores:
        """Probability of fake for each view.

        Args:
            views: at least one, of the kind that `needs` names.

        Returns:
            float64 (n,), in [0, 1].
        """
        if self.backbone is None:
            inputs = torch.from_numpy(np.stack([view.pixels for view in views]))
        else:
            inputs = torch.from_numpy(encode_views(self.backbone, views, (), BATCH[self.device])[0])
        return self.detector.score([inputs.to(self.device)])
