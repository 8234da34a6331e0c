"""When does which null space help? Doses of bias, ranks, sizes of the caption pool, wrong captions, content left.

One table a function, of one view of the lab; held-out generators are looked at only to report.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nsnet.core.progress import bar
from nsnet.semantics.content_shift import probe
from nsnet.semantics.image_basis import ESTIMATES, cross_modal
from nsnet.semantics.moments import Moments
from nsnet.studies.null_spaces import NullSpaceStudy, constant, moments_of
from nsnet.studies.probes import interval

DOSES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SIZES = (50, 100, 200, 500)
WRONG = 0.2
ENERGY, FIXED = 0.99, 14


def doses(study: NullSpaceStudy) -> pl.DataFrame:
    """Held-out accuracy by dose of bias and null space, and how much better each is than none, paired."""
    rows = []
    with bar(f"doses, {study.view}", len(DOSES) * len(study.kinds())) as advance:
        for dose in DOSES:
            found = {}
            for kind, directions in study.kinds().items():
                found[kind] = study.accuracies(dose, directions)
                advance(1)
            row: dict[str, Any] = {"view": study.view, "dose": f"{dose:.1f}"}
            rows.append(row | {kind: str(interval(values)) for kind, values in found.items()})
            none = found.pop("none")
            gains = {kind: str(interval(values - none)) for kind, values in found.items()}
            rows.append({"view": study.view, "dose": f"{dose:.1f}, minus none", "none": ""} | gains)
    return pl.DataFrame(rows)


def rank_choices(study: NullSpaceStudy) -> pl.DataFrame:
    """Held-out accuracy under full bias at the rank that each rule chooses, against the best in hindsight."""
    rows = []
    pool = moments_of(study.pool_images, study.pool_texts)
    with bar(f"ranks, {study.view}", len(ESTIMATES)) as advance:
        for kind, estimate in ESTIMATES.items():
            spectrum, tried = estimate(pool), study.ranks.filter(null_space=kind).sort("rank")
            energy = int(np.searchsorted(spectrum.energy, ENERGY)) + 1
            chosen = tried.filter("chosen")["rank"].to_list()
            rules = {"content shift": chosen[0] if chosen else None, f"energy {ENERGY}": energy, "fixed": FIXED}
            ranks = sorted({*tried["rank"], energy, FIXED})
            found = {rank: study.accuracies(1.0, constant(spectrum.directions.first(rank))) for rank in ranks}
            best = max(ranks, key=lambda rank: (found[rank][0], -rank))
            for rule, rank in {**rules, "best in hindsight": best}.items():
                if rank is not None:
                    gap = found[best] - found[rank]
                    rows.append(
                        {
                            "view": study.view,
                            "null space": kind,
                            "rule": rule,
                            "rank": rank,
                            "held-out acc": str(interval(found[rank])),
                            "below the best": str(interval(gap)) if rank != best else "",
                        }
                    )
            advance(1)
    return pl.DataFrame(rows)


def pools(study: NullSpaceStudy) -> pl.DataFrame:
    """Held-out accuracy under full bias by size of the pool, and with wrong captions, at the chosen ranks.

    Below each, the paired difference to the whole pool.
    """
    most = len(study.pool_images)
    settings = [("all", most, 0.0), (f"all, {WRONG:.0%} wrong captions", most, WRONG)]
    settings += [(str(size), size, 0.0) for size in SIZES if size < most]
    rows: list[dict[str, str]] = []
    whole: dict[str, npt.NDArray[np.float64]] = {}
    with bar(f"pools, {study.view}", len(settings) * len(ESTIMATES)) as advance:
        for name, size, wrong in settings:
            found = {}
            for kind, estimate in ESTIMATES.items():
                rank = len(study.fixed[kind])
                spectra = [estimate(moments) for moments in _drawn_pools(study, size, wrong)]
                found[kind] = study.accuracies(
                    1.0,
                    lambda seed, places: spectra[seed].directions.first(rank),  # noqa: B023 - used within the round
                )
                advance(1)
            row = {"view": study.view, "pool": name}
            rows.append(row | {kind: str(interval(values)) for kind, values in found.items()})
            whole = whole or found
            if found is not whole:
                row = {"view": study.view, "pool": f"{name}, minus all"}
                rows.append(row | {kind: str(interval(v - whole[kind])) for kind, v in found.items()})
    return pl.DataFrame(rows)


def _drawn_pools(study: NullSpaceStudy, size: int, wrong: float) -> Iterator[Moments]:
    """Moments of `size` pictures, a draw each, a share of whose captions belong to others of them."""
    for seed in range(study.draws):
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(study.pool_images))[:size]
        captions = chosen.copy()
        moved = rng.permutation(size)[: round(wrong * size)]
        captions[moved] = np.roll(captions[moved], 1)
        yield moments_of(study.pool_images[chosen], study.pool_texts[captions])


def correlated_pools(study: NullSpaceStudy) -> pl.DataFrame:
    """Held-out accuracy under full bias by rank of the cross-modal null space, for two kinds of pool.

    The caption pool draws each word of a scene by itself; in the training pictures words change sides together.
    """
    places = study.train.dosed(0.5, 2 * study.per_class, 0)
    reals = places[study.train.labels[places] == 0]
    captions = study.encoded([study.train.captions[place] for place in reals])
    pools = {
        "caption pool": cross_modal(moments_of(study.pool_images, study.pool_texts)),
        "training reals": cross_modal(moments_of(study.train.features[reals], captions)),
    }
    return pl.DataFrame(
        {"view": study.view, "rank": rank}
        | {
            name: str(interval(study.accuracies(1.0, constant(spectrum.directions.first(rank)))))
            for name, spectrum in pools.items()
        }
        for rank in study.semantics.pool.ranks
    )


def content_left(study: NullSpaceStudy) -> pl.DataFrame:
    """How well a probe still tells the content of validation pictures, beside held-out accuracy under full bias."""
    rows = []
    unbiased = study.train.dosed(0.5, study.per_class, 0)
    seen = study.train.features[unbiased], study.train.content[unbiased].astype(np.int64)
    kinds = study.kinds()
    found = {kind: study.accuracies(1.0, directions) for kind, directions in kinds.items()}
    for kind, directions in kinds.items():
        removed = directions(0, unbiased)
        told = probe(*seen, study.validation.features, removed)
        gap = found[kind] - found["cross-modal"]
        rows.append(
            {
                "view": study.view,
                "null space": kind,
                "rank": len(removed),
                "content told": float((told == study.validation.content).mean()),
                "held-out acc, full bias": str(interval(found[kind])),
                "minus cross-modal": "" if kind == "cross-modal" else str(interval(gap)),
            }
        )
    return pl.DataFrame(rows)


TABLES = (doses, rank_choices, correlated_pools, pools, content_left)
