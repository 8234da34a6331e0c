"""nsnet: detectors of AI-generated images, trained, tested and compared as a reproducible pipeline.

For one picture, in Python:

    import nsnet

    detector = nsnet.load("nsnet")
    detector.predict("a.jpg")  # a nsnet.Prediction: score, low, high, decision
    detector.explain("a.jpg")  # a nsnet.Explanation: what each patch adds to the log-odds of fake
    detector.redeliver("a.jpg")  # a list of nsnet.Redelivery: as JPEG, WebP, made smaller, from a screen
"""

from __future__ import annotations

import importlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nsnet.prediction.explanations import Explanation
    from nsnet.prediction.loading import load
    from nsnet.prediction.predictions import Prediction, Redelivery, Rejection
    from nsnet.prediction.predictor import Predictor

    __version__: str

__all__ = ["Explanation", "Prediction", "Predictor", "Redelivery", "Rejection", "load"]

# Where they are, by name: imported when they are first asked for, since they bring in torch.
_PLACES = {
    "load": "nsnet.prediction.loading",
    "Explanation": "nsnet.prediction.explanations",
    "Prediction": "nsnet.prediction.predictions",
    "Predictor": "nsnet.prediction.predictor",
    "Redelivery": "nsnet.prediction.predictions",
    "Rejection": "nsnet.prediction.predictions",
}


def _is_intel() -> bool:
    try:
        with Path("/proc/cpuinfo").open("rb") as facts:  # the first processor's: asking many takes a while
            return b"GenuineIntel" in facts.read(512)
    except OSError:
        return "GenuineIntel" in platform.processor()


# A row of a product is to have the same bits however many rows and threads there are: MKL, which reads this before its
# first product, else sums 150 rows of ViT-B/32 in another order than 1,200, and a picture alone would need a whole
# pass (nsnet.features.short_passes). Of other makers' processors MKL has no fast kernels in this mode.
if _is_intel():
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("nsnet")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
