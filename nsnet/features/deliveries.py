"""What a picture goes through on its way to people: saved again, made smaller, taken from a screen."""

from __future__ import annotations

from nsnet.features.conditions import Condition
from nsnet.features.settings import Jpeg, Resize, Webp

# A platform's limits shrink what is longer, and leave the rest alone. A screenshot is what a viewer shows, at a scale
# that is none of the picture's own and with a graphics card's kernel, and is saved without loss, as PNG.
# The section conditions of params.yaml has the same ones, for evaluation (tests compare them).
DELIVERIES = (
    *(Condition(f"jpeg{quality}", (Jpeg(op="jpeg", quality=quality),)) for quality in (90, 70, 50)),
    Condition("webp80", (Webp(op="webp", quality=80),)),
    *(Condition(f"at_most_{side}", (Resize(op="resize", longest=side),)) for side in (1080, 512)),
    Condition("screenshot", (Resize(op="resize", scale=0.8, kernel="bilinear"),)),
)
