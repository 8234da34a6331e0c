"""Whose texts span the text null space: captions of the training pictures, class prompts, or words alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from nsnet.core.progress import bar
from nsnet.lab.scenes import BACKDROPS, COLOURS, SHAPES, TEXTURES
from nsnet.semantics.null_space import Directions
from nsnet.studies.null_spaces import Choice, NullSpaceStudy, constant
from nsnet.studies.probes import interval

CLASSES = tuple(f"a photo of a {shape}" for shape in SHAPES)
WORDS = tuple(f"a photo of something {word}" for word in (*COLOURS, *TEXTURES, *BACKDROPS))
# Directions of the captions, for their curve.
RANKS = (8, 14, 24, 40)


def texts(study: NullSpaceStudy) -> pl.DataFrame:
    """Held-out accuracy with the null space of texts of each kind, and the paired difference to no projection.

    Args:
        study: of one view of the lab.

    Returns:
        A row for each kind of texts, with the rank that the rule of section semantics chose or the one that is named.
    """
    prompts = {name: study.encode_texts(list(one)) for name, one in (("classes", CLASSES), ("words", CLASSES + WORDS))}

    def captions(rank: int | None) -> Choice:
        def directions(_seed: int, places: npt.NDArray[np.int64]) -> Directions:
            return study.text_directions(study.encoded([study.train.captions[place] for place in places]), rank)

        return directions

    choices: dict[str, Choice] = {"captions": captions(None)}
    choices |= {f"captions, rank {rank}": captions(rank) for rank in RANKS}
    choices |= {
        f"class prompts ({len(CLASSES)})": constant(study.text_directions(prompts["classes"])),
        f"class prompts, all directions ({len(CLASSES)})": constant(
            study.text_directions(prompts["classes"], len(CLASSES))
        ),
        f"prompts of every word ({len(CLASSES + WORDS)})": constant(study.text_directions(prompts["words"])),
    }
    none = study.kinds()["none"]
    rows = []
    with bar(f"texts, {study.view}", len(choices)) as advance:
        unbiased = study.train.dosed(0.5, study.per_class, 0)
        plain = {dose: study.accuracies(dose, none) for dose in (1.0, 0.5)}
        for name, choice in choices.items():
            row: dict[str, str | int] = {"view": study.view, "texts": name, "rank": len(choice(0, unbiased))}
            for words, dose in (("full bias", 1.0), ("no bias", 0.5)):
                found = study.accuracies(dose, choice)
                row[words] = str(interval(found))
                row[f"{words}, minus none"] = str(interval(found - plain[dose]))
            rows.append(row)
            advance(1)
    return pl.DataFrame(rows)
