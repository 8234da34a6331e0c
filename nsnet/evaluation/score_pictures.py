"""Which pictures scores are of: found in a corpus, or listed with their roles by the scores' own file."""

from __future__ import annotations

from pathlib import PurePosixPath

import polars as pl

from nsnet.core.contracts import fit, make
from nsnet.corpus.contracts import Samples
from nsnet.corpus.manifests import role_of
from nsnet.corpus.recognition import LABELS, SPLITS, TRAINED
from nsnet.evaluation.contracts import EXTERNAL
from nsnet.evaluation.score_faults import Faults
from nsnet.evaluation.score_files import ROLE

# What pictures of a file that names no suite are called, as `nsnet predict` does.
OWN_SUITE = "yours"
SET = ("detector", "condition")


def found_in_corpus(
    rows: pl.DataFrame, images: pl.DataFrame, samples: pl.DataFrame, tested: list[str], faults: Faults
) -> tuple[pl.DataFrame, int]:
    """Scores by the image_id of a corpus; every test picture must have one of each detector under each condition.

    Args:
        rows: of `score_files.read_scores`.
        images, samples: tables of the corpus.
        tested: image_id of every test picture.
        faults: gets what does not fit.

    Returns:
        `rows` of used pictures, image_id filled in; and how many rows are of files that the corpus rejected, as
        copies say, whose scores do not count.
    """
    rows = rows.with_columns(path=_below_root(rows["path"], images["path"]))
    used = images.filter(status="used").select("image_id", "path")
    files = images.select("path", pl.col("image_id").alias("file_id"), rejected=pl.col("status") != "used")
    ids = images.drop_nulls("image_id").group_by("image_id").agg(unused=(pl.col("status") != "used").all())
    placed = rows.join(files, on="path", how="left", maintain_order="left")
    placed = placed.join(ids, on="image_id", how="left", maintain_order="left")
    by_path, by_id = pl.col("path") != "", pl.col("image_id") != ""
    strange = (by_path & pl.col("rejected").is_null()) | (by_id & pl.col("unused").is_null())
    example = min(used["path"], default="")
    faults.add(
        "pictures that the corpus does not have",
        (
            f"{place}: {path or image_id!r}; expected a path as in the table images, such as {example}, or an image_id"
            for place, path, image_id in placed.filter(strange).select("place", "path", "image_id").iter_rows()
        ),
    )
    aside = by_path & pl.col("rejected") | ~by_path & pl.col("unused")
    contradicting = by_path & by_id & ~pl.col("rejected") & (pl.col("file_id") != pl.col("image_id"))
    faults.add(
        "rows whose path and image_id are two pictures",
        (
            f"{place}: {path} is {other}, not {image_id}"
            for place, path, other, image_id in placed.filter(contradicting & ~strange)
            .select("place", "path", "file_id", "image_id")
            .iter_rows()
        ),
    )
    kept = placed.filter(~strange, ~aside.fill_null(False))
    kept = kept.with_columns(image_id=pl.when(by_path).then("file_id").otherwise("image_id"))
    kept = kept.drop("path").join(used, on="image_id", how="left", maintain_order="left")
    _note_repeated(kept, faults)
    _note_missing(kept, tested, dict(used.iter_rows()), faults)
    _note_labels(kept, samples, faults)
    return kept, placed.filter(aside.fill_null(False)).height


def listed_samples(rows: pl.DataFrame, faults: Faults) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pictures and roles as the scores' own file has them, for whoever has no corpus here.

    Args:
        rows: of `score_files.read_scores`, of one or more files; the picture's name is its image_id, else its path.
            A picture's role is that of any row of it that has a label.
        faults: gets what does not fit.

    Returns:
        The table samples, and `rows` with every image_id filled in.
    """
    rows = rows.with_columns(image_id=pl.when(pl.col("image_id") == "").then("path").otherwise("image_id"))
    told = rows.with_columns(pl.lit("").alias(name) for name in ROLE if name not in rows.columns)
    told = told.with_columns(pl.col(name).fill_null("") for name in ROLE).filter(pl.col("label") != "")
    told = told.with_columns(pl.col(name).str.to_lowercase() for name in ("label", "split"))
    silent = rows.join(told, on="image_id", how="anti", maintain_order="left").unique("image_id", maintain_order=True)
    faults.add(
        "pictures without a label",
        (
            f"{place}: {image_id} has no label; expected a column label with one of {', '.join(LABELS)}"
            for place, image_id in silent.select("place", "image_id").iter_rows()
        ),
    )
    for column, names in (("label", list(LABELS)), ("split", ["", *SPLITS])):
        wrong = told.filter(~pl.col(column).is_in(names))
        faults.add(
            f"{column}s that are none",
            (
                f"{place}: {column} {text!r}; expected one of {', '.join(filter(None, names))}"
                for place, text in wrong.select("place", column).iter_rows()
            ),
        )
        told = told.filter(pl.col(column).is_in(names))
    roles = told.unique(["image_id", *ROLE], keep="first", maintain_order=True)
    twice = roles.filter(pl.col("image_id").is_duplicated()).sort("image_id", maintain_order=True)
    faults.add(
        "roles of pictures that have another",
        (
            f"{place}: {image_id} is {', '.join(filter(None, role))} here, and something else in another row"
            for place, image_id, *role in twice.select("place", "image_id", *ROLE).iter_rows()
        ),
    )
    _note_repeated(rows, faults)
    _note_missing(rows, rows["image_id"].unique().sort().to_list(), {}, faults)
    return _samples(roles.unique("image_id", keep="first", maintain_order=True)), rows


def _samples(roles: pl.DataFrame) -> pl.DataFrame:
    """The table samples, by the rules of a manifest; pictures share few roles."""
    if roles.is_empty():
        return make(Samples, [])
    alike = roles.select(ROLE).unique(maintain_order=True)
    placed = [vars(role_of({**row, "path": "picture"}, "", OWN_SUITE)) for row in alike.iter_rows(named=True)]
    number = pl.int_range(alike.height).alias("number")
    named = pl.DataFrame(placed, infer_schema_length=None).with_columns(number)
    numbered = roles.join(alike.with_columns(number), on=ROLE).select("image_id", "number").join(named, on="number")
    trained = pl.col("split").is_in(TRAINED)
    return fit(
        Samples,
        numbered.with_columns(
            training_set=pl.when(trained).then(pl.lit(EXTERNAL)), in_domain_for=pl.lit([], pl.List(pl.String))
        ),
    ).sort("image_id")


def _below_root(paths: pl.Series, known: pl.Series) -> pl.Series:
    """Paths less the folder before them that makes most of them known, the same for all: where the corpus lay."""
    names = paths.str.strip_prefix("./")
    asked = names.filter(names != "")
    firsts = {asked[place] for place in (0, len(asked) // 2, len(asked) - 1)} if len(asked) else set()
    parents = {f"{parent}/".replace("//", "/") for name in firsts for parent in PurePosixPath(name).parents}
    folders = ["", *sorted(parents - {"./"}, key=len)]
    return max((names.str.strip_prefix(folder) for folder in folders), key=lambda short: short.is_in(known).sum())


def _note_repeated(rows: pl.DataFrame, faults: Faults) -> None:
    places = rows.group_by(*SET, "image_id", maintain_order=True).agg("place", pl.col("path").first())
    repeated = places.filter(pl.col("place").list.len() > 1).select("place", "path", "image_id", *SET)
    faults.add(
        "pictures that are scored twice",
        (
            f"{', '.join(where)}: {path or image_id} by {detector} under {condition}; expected one score"
            for where, path, image_id, detector, condition in repeated.iter_rows()
        ),
    )


def _note_missing(rows: pl.DataFrame, wanted: list[str], paths: dict[str, str], faults: Faults) -> None:
    order = pl.DataFrame({"image_id": wanted}, schema={"image_id": pl.String})
    for (detector, condition), scored in rows.partition_by(*SET, as_dict=True, maintain_order=True).items():
        lacking = order.join(scored, on="image_id", how="anti", maintain_order="left")["image_id"]
        faults.add(
            "pictures without a score",
            (f"no score of {paths.get(name, name)} by {detector} under {condition}" for name in lacking),
        )


def _note_labels(rows: pl.DataFrame, samples: pl.DataFrame, faults: Faults) -> None:
    """Labels that the file gives beside the corpus's own must be the same: one that is turned round is seen."""
    if "label" not in rows.columns:
        return
    truth = samples.group_by("image_id").agg(pl.col("label").first().alias("truth"))
    said = pl.col("label").str.to_lowercase().replace_strict(LABELS, default=None, return_dtype=pl.Int8)
    told = rows.filter(pl.col("label") != "").join(truth, on="image_id", maintain_order="left")
    wrong = told.filter(said.is_null() | (said != pl.col("truth"))).select("place", "label", "path", "truth")
    faults.add(
        "labels that are not the corpus's",
        (f"{place}: label {label!r}, but {path} has {truth}" for place, label, path, truth in wrong.iter_rows()),
    )
