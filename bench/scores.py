"""Time an import of external scores and their ranking with intervals, and compare with a loop of scikit-learn.

    python bench/scores.py

10,000 pictures x 8 detectors in one csv: 2,000 reals and 40 generators of 200 fakes, 1,000 draws. The import checks the
file against a corpus and keeps its scores; the ranking is `nsnet results rank`, files in, tables out. The loop does ap,
auroc, plain_ap and the accuracies of a few draws of one generator and is scaled up to all of them.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from evaluation import loop

from nsnet.core.contracts import fit
from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Images, Samples
from nsnet.evaluation.folder import shown_of
from nsnet.evaluation.score_faults import Faults
from nsnet.evaluation.score_files import Claims, read_scores
from nsnet.evaluation.score_imports import import_scores, rank_scores
from nsnet.evaluation.score_pictures import listed_samples
from nsnet.evaluation.settings import Evaluate
from nsnet.reporting.writing import write_tables

DETECTORS, GENERATORS, N_REAL, N_FAKE, DRAWS = 8, 40, 2000, 200, 1000
LOOP_DRAWS = 10
CLAIMS = Claims(scale="logit")


def scores(rng: np.random.Generator, file: Path) -> None:
    """A csv with logits of every detector, and the roles of the pictures."""
    count = N_REAL + GENERATORS * N_FAKE
    labels = np.arange(count) >= N_REAL
    makers = [f"generator{number % GENERATORS}" if label else "" for number, label in enumerate(labels)]
    pictures = pl.DataFrame({"path": [f"pictures/{number:05}.png" for number in range(count)], "generator": makers})
    drawn = [rng.normal(labels * (0.5 + number / DETECTORS), 1) for number in range(DETECTORS)]
    parts = [
        pictures.with_columns(label=pl.Series(labels).cast(pl.Int8), score=values, detector=pl.lit(f"detector{number}"))
        for number, values in enumerate(drawn)
    ]
    pl.concat(parts).write_csv(file)


def corpus(file: Path, paths: Paths) -> None:
    """The tables of a corpus with the pictures of the file."""
    samples, _ = listed_samples(read_scores(file, CLAIMS, Faults()), Faults())
    facts = {"bytes": 1000, "width": 256, "height": 256, "format": "PNG", "mode": "RGB", "jpeg_quality": None}
    facts |= {"has_exif": False, "phash": None, "status": "used", "reason": None}
    named = samples.select("image_id", path="image_id", pixel_id="image_id")
    images = named.with_columns(pl.lit(value).alias(name) for name, value in facts.items())
    for kind, frame in ((Samples, samples), (Images, fit(Images, images))):
        write_table(kind, frame, paths.table(kind))


def main() -> None:
    rng = np.random.default_rng(0)
    settings = Evaluate(conditions=["clean"], bootstrap=DRAWS, seed=0, baseline="detector0", shown=["detector0"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, project, ranking = folder / "scores.csv", Paths(folder / "project"), Paths(folder / "ranking")
        scores(rng, file)
        corpus(file, project)
        started = time.perf_counter()
        import_scores(project, file, CLAIMS, ["clean"], None, [])
        imported = time.perf_counter() - started
        started = time.perf_counter()
        ranked = rank_scores(ranking, [file], CLAIMS, settings)
        numbers = time.perf_counter() - started
        write_tables(ranking, ranking, shown_of(settings, ranked.means["detector"]), 0.75)
        seconds = time.perf_counter() - started
    contests = DETECTORS * GENERATORS
    scaled = loop(rng, N_REAL, N_FAKE, LOOP_DRAWS) * contests * (1 + DRAWS)
    print(f"import of {N_REAL + GENERATORS * N_FAKE} pictures x {DETECTORS} detectors: {imported:.2f} s")
    print(f"ranking with intervals: {numbers:.1f} s, with all tables written {seconds:.1f} s")
    print(f"scikit-learn in a loop, scaled from {LOOP_DRAWS} draws of one of {contests} contests: {scaled:.0f} s")
    print(f"ratio: {scaled / numbers:.0f}")


if __name__ == "__main__":
    main()
