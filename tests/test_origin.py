"""Where a number comes from: nothing of the lab may pass for a published benchmark."""

from __future__ import annotations

import pytest

from nsnet.core.origin import LAB_MODEL, describe


@pytest.mark.parametrize(
    ("suites", "model", "weights", "expected"),
    [
        (["lab"], LAB_MODEL, None, "LAB: "),
        (["genimage"], LAB_MODEL, None, "NOT MEANINGFUL: real pictures (genimage) "),
        (["genimage", "lab"], LAB_MODEL, None, "NOT MEANINGFUL: real pictures (genimage) "),
        (["lab"], "ViT-L-14", "openai", "MIXED: simulated generators seen by ViT-L-14"),
        (
            ["lab", "genimage"],
            "ViT-L-14",
            "openai",
            "MIXED: simulated generators beside real pictures (genimage) seen by",
        ),
        (["genimage", "aigibench"], "ViT-L-14", "openai", "REAL: pictures of aigibench, genimage seen by ViT-L-14"),
        (
            ["imagenet-samples", "sd-samples-swapped"],
            "timm:x",
            "package",
            "REAL-SMALL: pictures of imagenet-samples, sd",
        ),
        (["genimage", "sd-samples"], "timm:x", "package", "REAL: pictures of genimage, sd-samples seen by timm:x"),
        (["genimage"], "ViT-L-14", "random", "RANDOM: pictures of genimage seen by ViT-L-14 with untrained weights"),
        (["lab"], "ViT-L-14", "random", "RANDOM: pictures of lab seen by ViT-L-14"),
    ],
)
def test_every_mixture_is_named(suites: list[str], model: str, weights: str | None, expected: str) -> None:
    assert describe(suites, model, weights).startswith(expected)
