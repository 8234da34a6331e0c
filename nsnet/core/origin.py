"""Where a number comes from: the simulated lab, real pictures, or a mixture that means little."""

from __future__ import annotations

from collections.abc import Iterable

LAB_SUITE = "lab"
LAB_MODEL = "lab-clip"
RANDOM = "random"
# What anyone can clone (`nsnet profile show real-small`), and the tables that are drawn from it.
SMALL = ("sd-samples", "imagenet-samples", "coco-mini")


def describe(suites: Iterable[str], model: str, weights: str | None) -> str:
    """One sentence for tables: whose pictures and whose CLIP stand behind a number.

    Args:
        suites: whose pictures.
        model, weights: as in the backbone record.

    Returns:
        A sentence that begins with LAB, REAL, REAL-SMALL, MIXED, RANDOM or NOT MEANINGFUL.
    """
    names = set(suites)
    real = ", ".join(sorted(names - {LAB_SUITE}))
    if weights == RANDOM:
        return f"RANDOM: pictures of {', '.join(sorted(names))} seen by {model} with untrained weights; no measurement"
    if model == LAB_MODEL and not real:
        return "LAB: simulated generators and a small CLIP of our own; not a published benchmark"
    if model == LAB_MODEL:
        return f"NOT MEANINGFUL: real pictures ({real}) scored by a CLIP that only knows the lab; use the paper profile"
    if LAB_SUITE in names:
        beside = f" beside real pictures ({real})" if real else ""
        return f"MIXED: simulated generators{beside} seen by {model}; not a published benchmark"
    if all(name.startswith(SMALL) for name in names):
        return f"REAL-SMALL: pictures of {real} seen by {model}; few, a test of shifts, not a published benchmark"
    return f"REAL: pictures of {real} seen by {model}"
