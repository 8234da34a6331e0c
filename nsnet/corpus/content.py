"""Content by a rule: does a caption have one of some words?"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool


def has_content(captions: Sequence[str], words: Sequence[str]) -> Bool[np.ndarray, " n"]:
    """Whether a caption has one of the words, whole, in any case.

    Args:
        captions: texts.
        words: of semantics.pool.content, or corpus.protocols.content.

    Returns:
        (n,).
    """
    asked = {word.casefold() for word in words}
    return np.array([not asked.isdisjoint(re.findall(r"\w+", text.casefold())) for text in captions], bool)
