"""Stage semantics: directions of each training set's captions, and of the pictures of the caption pool."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nsnet.core.contracts import make
from nsnet.core.device import best_device
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.core.settings import load_section, load_value
from nsnet.corpus.contracts import Samples
from nsnet.features.contracts import Features
from nsnet.features.matrices import FeatureReader
from nsnet.features.settings import Backbone
from nsnet.semantics.caption_pool import EncodeTexts, basis_rows, caption_pool, null_spaces, pool_moments
from nsnet.semantics.contracts import Captions, ImageBasis, RankValidation, SemanticBasis, SemanticSpectrum
from nsnet.semantics.image_basis import ESTIMATES
from nsnet.semantics.settings import Semantics
from nsnet.semantics.spectrum import CaptionGram, Spectrum, choose_rank, rank_one_warning


def caption_counts(samples: pl.DataFrame, captions: pl.DataFrame) -> pl.DataFrame:
    """How many training pictures of each training set have a caption; a picture listed twice counts once.

    Args:
        samples: table samples.
        captions: table captions.

    Returns:
        A row for each distinct caption, sorted: caption, and a column of counts for each training set.

    Raises:
        ValueError: pictures without a caption, by training set.
    """
    train = samples.filter(split="train").select("training_set", "image_id").unique()
    rows = train.join(captions.select("image_id", "caption"), on="image_id", how="left")
    missing = rows.filter(pl.col("caption").is_null()).group_by("training_set").len().sort("training_set")
    if missing.height or train.is_empty():
        lines = [f"  training set {name}: {count} pictures without a caption" for name, count in missing.iter_rows()]
        raise ValueError(
            "no semantic basis without a caption for every training picture:\n"
            + "\n".join(lines or ["  there are no training pictures"])
            + "\nRun `dvc repro captions`; the section captions of params.yaml says where captions come from"
        )
    counts = rows.group_by("caption", "training_set").len().sort("caption", "training_set")
    return counts.pivot("training_set", index="caption", values="len", sort_columns=True).fill_null(0).sort("caption")


def spectra(counts: pl.DataFrame, encode: EncodeTexts, settings: Semantics) -> dict[str, Spectrum]:
    """The spectrum of each training set; every distinct caption is encoded once, whoever has it.

    Args:
        counts: from `caption_counts`.
        encode: captions to float32 (b, d).
        settings: the section semantics.

    Returns:
        By training set.
    """
    grams = {name: CaptionGram(settings.normalise) for name in counts.columns if name != "caption"}
    with bar("semantics", counts.height) as advance:
        for part in counts.iter_slices(settings.batch):
            features = encode(part["caption"].to_list())
            for name, gram in grams.items():
                gram.add(features, part[name].to_numpy().astype(np.int64))
            advance(part.height)
    return {name: gram.spectrum(settings.centre) for name, gram in grams.items()}


def spectrum_rows(training_set: str, spectrum: Spectrum, rank: int) -> list[dict[str, Any]]:
    """The whole spectrum and all directions, for both tables; `retained` marks the semantic ones.

    Args:
        training_set: whose captions these are.
        spectrum: of them.
        rank: number of semantic directions.

    Returns:
        A row for each direction, largest singular value first.
    """
    return [
        {
            "training_set": training_set,
            "k": k,
            "singular_value": value,
            "energy": energy,
            "retained": k < rank,
            "vector": vector.tolist(),
        }
        for k, (value, energy, vector) in enumerate(
            zip(spectrum.values, spectrum.energy, spectrum.vectors, strict=True)
        )
    ]


def text_directions(counts: pl.DataFrame, encode: EncodeTexts, settings: Semantics) -> list[dict[str, Any]]:
    """Rows of the tables semantic_spectrum and semantic_basis; of a drawn training set the captions of all its draws.

    Args:
        counts: from `caption_counts`.
        encode: captions to float32 (b, d).
        settings: the section semantics.

    Returns:
        Both.
    """
    rows = []
    for name, spectrum in spectra(counts, encode, settings).items():
        rank = choose_rank(spectrum, settings.energy, settings.tolerance, settings.rank)
        warning = rank_one_warning(spectrum, rank, settings.centre)
        if warning:
            print(f"warning: semantics of training set {name}: {warning}", file=sys.stderr)
        held = spectrum.energy[rank - 1] if rank else 0
        print(
            f"semantics: training set {name}, {(counts[name] > 0).sum()} distinct captions of"
            f" {counts[name].sum()} pictures, rank {rank} of {len(spectrum.values)} holds {held:.4f} of the energy"
        )
        rows += spectrum_rows(name, spectrum, rank)
    return rows


def picture_directions(
    samples: pl.DataFrame, paths: Paths, backbone_id: str, encode: EncodeTexts, settings: Semantics
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the tables image_basis and rank_validation, for all views and training conditions; none without a pool.

    Args:
        samples: table samples.
        paths: of the project.
        backbone_id: whose features.
        encode: captions to float32 (b, k).
        settings: the section semantics.

    Returns:
        Both.

    Raises:
        ValueError: as `caption_pool` and `null_spaces`.
    """
    pool, reader = caption_pool(samples), FeatureReader(paths.table(Features))
    bases: list[dict[str, Any]] = []
    tries: list[dict[str, Any]] = []
    if pool.is_empty():
        return bases, tries
    views = load_value(paths.params, "features.views", list[str])
    conditions = load_value(paths.params, "train.conditions", list[str])
    shown = [(condition, view) for condition in conditions for view in views]

    def read(what: tuple[str, str], image_ids: list[str]) -> npt.NDArray[np.float32]:
        return reader.matrix(backbone_id, *what, 0, image_ids)

    moments = pool_moments(pool, shown, read, encode, settings.batch)
    with bar("null spaces of pictures", len(ESTIMATES) * len(shown)) as advance:
        for kind, what, spectrum, rank, tried in null_spaces(moments, samples, read, settings.pool):
            bases += basis_rows(kind, what, spectrum, rank)
            facts = {"null_space": kind, "condition": what[0], "view": what[1]}
            tries += [{**facts, **asdict(one), "chosen": one.rank == rank} for one in tried]
            print(
                f"semantics: {kind}, {', '.join(what)}: {rank} directions of {pool.height} captioned pictures hold"
                f" {spectrum.energy[rank - 1]:.4f} of the energy"
            )
            advance(1)
    return bases, tries


def main() -> None:
    from nsnet.features.backbone import load_backbone
    from nsnet.semantics.sentence_encoder import text_encoder

    paths = Paths()
    settings = load_section(paths.params, "semantics", Semantics)
    with cost(paths.cost("semantics")):
        samples = read_table(Samples, paths.table(Samples))
        captions = read_table(Captions, paths.table(Captions))
        backbone = load_backbone(load_section(paths.params, "backbone", Backbone), best_device())
        # Directions of texts mean something only in the space of a text tower that pictures share; there are no
        # captions where captions.source is none.
        asked = backbone.tokenizer is not None and not captions.is_empty()
        rows = text_directions(caption_counts(samples, captions), backbone.encode_texts, settings) if asked else []
        for kind in (SemanticSpectrum, SemanticBasis):
            write_table(kind, make(kind, rows), paths.table(kind))
        encode = text_encoder(settings.text, backbone, best_device())
        bases, tries = picture_directions(samples, paths, backbone.id, encode, settings)
        write_table(ImageBasis, make(ImageBasis, bases), paths.table(ImageBasis))
        write_table(RankValidation, make(RankValidation, tries), paths.table(RankValidation))
