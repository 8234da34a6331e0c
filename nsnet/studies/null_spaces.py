"""When does which null space help? Doses of bias, ranks, sizes of the caption pool, wrong captions, content left.

On frozen features of the lab, with logistic probes; held-out generators are looked at only to report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar
from nsnet.corpus.contracts import Samples
from nsnet.features.contracts import Features
from nsnet.features.matrices import FeatureReader
from nsnet.params import load_params
from nsnet.semantics.caption_pool import caption_pool
from nsnet.semantics.content_shift import probe
from nsnet.semantics.contracts import ImageBasis, RankValidation, SemanticBasis
from nsnet.semantics.image_basis import ESTIMATES, ImageSpectrum, cross_modal
from nsnet.semantics.moments import Moments
from nsnet.semantics.null_space import Bases, Directions, load_bases, no_directions, random_directions
from nsnet.semantics.spectrum import CaptionGram, choose_rank
from nsnet.studies.probes import HeldOut, Pictures, interval, read_pictures

DOSES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SIZES = (50, 100, 200, 500)
WRONG = 0.2
ENERGY, FIXED = 0.99, 14


class NullSpaceStudy:
    """The tables of one view.

    Args:
        paths: a project whose `dvc repro` has run, with a caption pool.
        view: of the features; the mosaic's draw 0, under the first of train.conditions.
        draws: training sets, and pools, of each kind; at most 64.
        resamples: of test pictures and draws.
    """

    def __init__(self, paths: Paths, view: str, draws: int, resamples: int) -> None:
        from nsnet.features.backbone import load_backbone  # open_clip takes seconds

        params = load_params(paths.params)
        self.view, self.draws, self.condition = view, draws, params.train.conditions[0]
        self.semantics = params.semantics
        backbone, reader = load_backbone(params.backbone), FeatureReader(paths.table(Features))
        samples = read_table(Samples, paths.table(Samples))
        read = partial(reader.matrix, backbone.id, self.condition, view, 0)

        def pictures(split: str) -> Pictures:
            rows = samples.filter(split=split).sort("image_id").unique("image_id", keep="first", maintain_order=True)
            return read_pictures(rows, self.semantics.pool.content, read)

        self.train, self.validation, self.test = (pictures(split) for split in ("train", "validation", "test"))
        self.held_out = HeldOut(self.test, list(self.train.generators), resamples)
        pool = caption_pool(samples)
        self.pool_images = read(pool["image_id"].to_list())
        texts = sorted({*self.train.captions, *pool["caption"]})
        self._texts = dict(zip(texts, backbone.encode_texts(texts), strict=True))
        self.pool_texts = self._encoded(pool["caption"].to_list())
        self.bases: Bases = load_bases(*(read_table(kind, paths.table(kind)) for kind in (SemanticBasis, ImageBasis)))
        self.ranks: pl.DataFrame = read_table(RankValidation, paths.table(RankValidation)).filter(
            condition=self.condition, view=view
        )
        # At most half of the scarcest cell is in a draw without bias, so that draws differ.
        self.per_class = min(len(places) for places in self.train.cells.values()) // 10 * 10

    def _encoded(self, captions: list[str]) -> npt.NDArray[np.float32]:
        return np.array([self._texts[caption] for caption in captions])

    def _called(self, dose: float, directions: Callable[[int, npt.NDArray[np.int64]], Directions]) -> npt.NDArray[Any]:
        """Test pictures called fake by a probe on each draw of a training set: (draws, n)."""
        called = []
        for seed in range(self.draws):
            places = self.train.dosed(dose, self.per_class, seed)
            rows, labels = self.train.features[places], self.train.labels[places]
            called.append(probe(rows, labels, self.test.features, directions(seed, places)))
        return np.array(called)

    def _accuracies(
        self, dose: float, directions: Callable[[int, npt.NDArray[np.int64]], Directions]
    ) -> npt.NDArray[np.float64]:
        return self.held_out.accuracies(self._called(dose, directions))

    def _text(self, places: npt.NDArray[np.int64]) -> Directions:
        """Of the captions of a drawn training set, as the stage semantics has it."""
        gram, settings = CaptionGram(self.semantics.normalise), self.semantics
        gram.add(self._encoded([self.train.captions[place] for place in places]), np.ones(len(places), np.int64))
        spectrum = gram.spectrum(settings.centre)
        rank = choose_rank(spectrum, settings.energy, settings.tolerance, settings.rank)
        return Directions(spectrum.vectors[:rank], spectrum.vectors[:rank])

    def _kinds(self) -> Mapping[str, Callable[[int, npt.NDArray[np.int64]], Directions]]:
        width = self.test.features.shape[1]
        fixed = {kind: self.bases.of(kind, "", self.condition, self.view) for kind in ESTIMATES}
        return {
            "none": lambda seed, places: no_directions(width),
            "random": lambda seed, places: random_directions(len(fixed["cross-modal"]), width, seed),
            "text": lambda seed, places: self._text(places),
            **{kind: partial(_constant, directions) for kind, directions in fixed.items()},
        }

    def doses(self) -> pl.DataFrame:
        """Held-out accuracy by dose of bias and null space, and how much better each is than none, paired."""
        rows = []
        with bar(f"doses, {self.view}", len(DOSES) * len(self._kinds())) as advance:
            for dose in DOSES:
                found = {}
                for kind, directions in self._kinds().items():
                    found[kind] = self._accuracies(dose, directions)
                    advance(1)
                row: dict[str, Any] = {"view": self.view, "dose": f"{dose:.1f}"}
                rows.append(row | {kind: str(interval(values)) for kind, values in found.items()})
                none = found.pop("none")
                gains = {kind: str(interval(values - none)) for kind, values in found.items()}
                rows.append({"view": self.view, "dose": f"{dose:.1f}, minus none", "none": ""} | gains)
        return pl.DataFrame(rows)

    def rank_choices(self) -> pl.DataFrame:
        """Held-out accuracy under full bias at the rank that each rule chooses, against the best in hindsight."""
        rows = []
        pool = _moments(self.pool_images, self.pool_texts)
        with bar(f"ranks, {self.view}", len(ESTIMATES)) as advance:
            for kind, estimate in ESTIMATES.items():
                spectrum, tried = estimate(pool), self.ranks.filter(null_space=kind).sort("rank")
                energy = int(np.searchsorted(spectrum.energy, ENERGY)) + 1
                chosen = tried.filter("chosen")["rank"].to_list()
                rules = {"content shift": chosen[0] if chosen else None, f"energy {ENERGY}": energy, "fixed": FIXED}
                ranks = sorted({*tried["rank"], energy, FIXED})
                found = {
                    rank: self._accuracies(1.0, partial(_constant, spectrum.directions.first(rank))) for rank in ranks
                }
                best = max(ranks, key=lambda rank: (found[rank][0], -rank))
                for rule, rank in {**rules, "best in hindsight": best}.items():
                    if rank is not None:
                        gap = found[best] - found[rank]
                        rows.append(
                            {
                                "view": self.view,
                                "null space": kind,
                                "rule": rule,
                                "rank": rank,
                                "held-out acc": str(interval(found[rank])),
                                "below the best": str(interval(gap)) if rank != best else "",
                            }
                        )
                advance(1)
        return pl.DataFrame(rows)

    def pools(self) -> pl.DataFrame:
        """Held-out accuracy under full bias by size of the pool, and with wrong captions, at the chosen ranks.

        Below each, the paired difference to the whole pool.
        """
        most = len(self.pool_images)
        settings = [("all", most, 0.0), (f"all, {WRONG:.0%} wrong captions", most, WRONG)]
        settings += [(str(size), size, 0.0) for size in SIZES if size < most]
        rows: list[dict[str, str]] = []
        whole: dict[str, npt.NDArray[np.float64]] = {}
        with bar(f"pools, {self.view}", len(settings) * len(ESTIMATES)) as advance:
            for name, size, wrong in settings:
                found = {}
                for kind, estimate in ESTIMATES.items():
                    rank = len(self.bases.of(kind, "", self.condition, self.view))
                    spectra = [estimate(moments) for moments in self._drawn_pools(size, wrong)]
                    found[kind] = self._accuracies(1.0, partial(_by_seed, spectra, rank))
                    advance(1)
                row = {"view": self.view, "pool": name}
                rows.append(row | {kind: str(interval(values)) for kind, values in found.items()})
                whole = whole or found
                if found is not whole:
                    row = {"view": self.view, "pool": f"{name}, minus all"}
                    rows.append(row | {kind: str(interval(v - whole[kind])) for kind, v in found.items()})
        return pl.DataFrame(rows)

    def _drawn_pools(self, size: int, wrong: float) -> Iterator[Moments]:
        """Moments of `size` pictures, a draw each, a share of whose captions belong to others of them."""
        for seed in range(self.draws):
            rng = np.random.default_rng(seed)
            chosen = rng.permutation(len(self.pool_images))[:size]
            captions = chosen.copy()
            moved = rng.permutation(size)[: round(wrong * size)]
            captions[moved] = np.roll(captions[moved], 1)
            yield _moments(self.pool_images[chosen], self.pool_texts[captions])

    def correlated_pools(self) -> pl.DataFrame:
        """Held-out accuracy under full bias by rank of the cross-modal null space, for two kinds of pool.

        The caption pool draws each word of a scene by itself; in the training pictures words change sides together.
        """
        places = self.train.dosed(0.5, 2 * self.per_class, 0)
        reals = places[self.train.labels[places] == 0]
        captions = self._encoded([self.train.captions[place] for place in reals])
        pools = {
            "caption pool": cross_modal(_moments(self.pool_images, self.pool_texts)),
            "training reals": cross_modal(_moments(self.train.features[reals], captions)),
        }
        return pl.DataFrame(
            {"view": self.view, "rank": rank}
            | {
                name: str(interval(self._accuracies(1.0, partial(_constant, spectrum.directions.first(rank)))))
                for name, spectrum in pools.items()
            }
            for rank in self.semantics.pool.ranks
        )

    def content_left(self) -> pl.DataFrame:
        """How well a probe still tells the content of validation pictures, beside held-out accuracy under full bias."""
        rows = []
        unbiased = self.train.dosed(0.5, self.per_class, 0)
        seen = self.train.features[unbiased], self.train.content[unbiased].astype(np.int64)
        kinds = self._kinds()
        found = {kind: self._accuracies(1.0, directions) for kind, directions in kinds.items()}
        for kind, directions in kinds.items():
            removed = directions(0, unbiased)
            told = probe(*seen, self.validation.features, removed)
            gap = found[kind] - found["cross-modal"]
            rows.append(
                {
                    "view": self.view,
                    "null space": kind,
                    "rank": len(removed),
                    "content told": float((told == self.validation.content).mean()),
                    "held-out acc, full bias": str(interval(found[kind])),
                    "minus cross-modal": "" if kind == "cross-modal" else str(interval(gap)),
                }
            )
        return pl.DataFrame(rows)


def _constant(directions: Directions, seed: int, places: npt.NDArray[np.int64]) -> Directions:
    return directions


def _by_seed(spectra: list[ImageSpectrum], rank: int, seed: int, places: npt.NDArray[np.int64]) -> Directions:
    return spectra[seed].directions.first(rank)


def _moments(images: npt.NDArray[np.float32], texts: npt.NDArray[np.float32]) -> Moments:
    moments = Moments()
    moments.add(images, texts)
    return moments
