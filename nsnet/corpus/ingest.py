"""Folders of pictures as tables: which file plays which role, is it usable, and was it seen before?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from nsnet.core.contracts import check, fit, make
from nsnet.core.parquet import query
from nsnet.corpus.contracts import Duplicates, Images, Samples
from nsnet.corpus.duplicates import count_once, find_duplicates, refuse_leaks, with_scopes
from nsnet.corpus.inspection import LIMITS, Limits
from nsnet.corpus.layouts import EXPECTED
from nsnet.corpus.manifests import assign_roles, listed_roles
from nsnet.corpus.protocols import drawn_roles
from nsnet.corpus.scan import scan
from nsnet.corpus.settings import Protocols
from nsnet.corpus.tree import is_archive
from nsnet.suites import suites

# One in so many training pictures of a set that has no validation pictures of its own.
VALIDATION_SHARE = 10
SHOWN = 10


@dataclass(frozen=True)
class Corpus:
    """The tables of a tree, the files that are no pictures, by suffix, and how many had to be read again."""

    images: pl.DataFrame
    samples: pl.DataFrame
    duplicates: pl.DataFrame
    others: dict[str, int]
    inspected: int


def ingest(
    root: Path,
    index: Path,
    suite: str | None = None,
    workers: int = 1,
    allow_leakage: list[str] | None = None,
    protocols: Protocols | None = None,
    limits: Limits = LIMITS,
    advance: Callable[[int], None] = lambda count: None,
) -> Corpus:
    """Read a tree of corpora into the tables images, samples and duplicates.

    The layout is found from the tree (`nsnet.corpus.layouts`), or told by a manifest at the top, for
    what it lists, or in top-level folders, for each of them. Every file that looks like a picture,
    or that a manifest names, becomes one row of `images`, used or rejected with a reason; only
    used ones become samples.

    Args:
        root: folder with the pictures.
        index: Parquet file of the last scan; made or brought up to date.
        suite: what the corpus is called, if not by its registered or own folder name.
        workers: processes that decode.
        allow_leakage: test generators (suite/name) whose pictures may be seen in training.
        protocols: roles that pictures are given beside, or in place of, what the layout tells.
        limits: what is too large to be read.
        advance: told of every batch of files.

    Returns:
        The three tables, and what was counted on the way.

    Raises:
        FileNotFoundError: no such folder.
        OSError: it cannot be listed, or `index` cannot be written.
        ValueError: no known layout, no usable picture, faults in a manifest, protocols that these pictures do not
            allow, or leakage, all of them at once.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: expected {EXPECTED}")
    folder = root.resolve().name
    listed, governed = listed_roles(root, folder, suite)
    count = scan(root, index, [role.path for role in listed], workers, limits, advance)
    facts = pl.read_parquet(index, columns=list(make(Images, []).schema))
    placed, reasons = assign_roles(facts["path"], listed, governed, folder, suite)
    if not placed:
        raise ValueError(_nothing_placed(root, facts["path"], reasons))
    placed = drawn_roles(placed, protocols) if protocols else placed
    images = _reject(fit(Images, facts), reasons)
    if images.filter(status="used").is_empty():
        why = images["reason"].value_counts(sort=True).head(SHOWN).iter_rows()
        raise ValueError(
            f"none of the {images.height} files in {root} can be used:\n"
            + "\n".join(f"  {count} x {reason}" for reason, count in why)
        )
    duplicates = find_duplicates(images, partial(_thumbs, index))
    images, stands_for = count_once(images, duplicates)
    places = pl.DataFrame(placed)
    samples = _samples(places, stands_for)
    refuse_leaks(samples, images, duplicates, allow_leakage or [])
    scoped = check(Duplicates, with_scopes(duplicates, places))
    return Corpus(check(Images, images.sort("path")), samples, scoped, count.others, count.inspected)


def _nothing_placed(root: Path, paths: pl.Series, reasons: dict[str, str]) -> str:
    """What lies in a tree none of whose pictures has a role, and what was expected."""
    archives = sum(is_archive(path) for path in paths)
    hint = f"; {archives} archives want unpacking first" if archives else ""
    if not reasons:
        return f"no pictures found in {root}{hint}: expected {EXPECTED}"
    path, why = min(reasons.items())
    many = f"{len(reasons)} pictures lie" if len(reasons) > 1 else "one picture lies"
    return f"{many} in {root}, but none with a label, e.g. {path}: {why}{hint}; expected {EXPECTED}"


def _thumbs(index: Path, paths: list[str]) -> pl.DataFrame:
    """Thumbnails of some files, from the scan's index."""
    return pl.scan_parquet(index).filter(pl.col("path").is_in(paths)).select("path", "thumb").collect()


def _reject(images: pl.DataFrame, reasons: dict[str, str]) -> pl.DataFrame:
    """Reject usable files that have no role."""
    why = pl.DataFrame({"path": list(reasons), "why": list(reasons.values())}, schema={"path": str, "why": str})
    without_role = pl.col("why").is_not_null() & (pl.col("status") == "used")
    return (
        images.join(why, on="path", how="left")
        .with_columns(
            status=pl.when(without_role).then(pl.lit("rejected")).otherwise("status"),
            reason=pl.when(without_role).then("why").otherwise("reason"),
        )
        .drop("why")
    )


def _samples(places: pl.DataFrame, stands_for: dict[str, str]) -> pl.DataFrame:
    """One row for each image in each role: files that show the same picture in one role count once."""
    ids = pl.DataFrame({"path": list(stands_for), "image_id": list(stands_for.values())})
    rows = places.join(ids, on="path").sort("path").drop("path").unique(maintain_order=True)
    roles = ["suite", "generator", "label", "split", "training_set", "draw", "real_pool", "image_id"]
    once = _with_validation(rows.unique(roles, keep="first", maintain_order=True))
    # Seen in training: the training set holds the same generator of the suite. Of copies in other suites, and of
    # training sets that are not here, the registry tells; a suite's own set that is here speaks for itself. What
    # a drawn set holds may differ from draw to draw (nsnet.evaluation.exams).
    trained = (
        once.filter(pl.col("draw").is_null(), split="train", label=1)
        .group_by("suite", "generator")
        .agg(pl.col("training_set").unique().sort().alias("seen"))
    )
    here = set(once["training_set"].drop_nulls())
    registered = {
        (known.key, generator.key): set(generator.in_domain_for) - (here & set(known.training_sets))
        for known in suites().values()
        for generator in known.generators.values()
    }
    seen = {(suite, name): sets for suite, name, sets in trained.iter_rows()}
    makers = once.select("suite", "generator", "label").unique()
    in_domain = [
        sorted({*registered.get((suite, name), ()), *seen.get((suite, name), ())}) if label else []
        for suite, name, label in makers.iter_rows()
    ]
    flagged = makers.with_columns(in_domain_for=pl.Series(in_domain, dtype=pl.List(pl.String)))
    joined = once.join(flagged, on=["suite", "generator", "label"])
    order = ["split", "training_set", "draw", "suite", "generator", "label", "real_pool", "image_id"]
    return check(Samples, fit(Samples, joined).sort(order))


def _with_validation(rows: pl.DataFrame) -> pl.DataFrame:
    """Move every tenth picture of each class, at least one of two, to validation in sets that have none.

    A picture that lies beside several generators moves in all its roles.
    """
    sql = f"""
        SELECT * EXCLUDE (place, size, lacking, split),
               CASE WHEN split = 'train' AND lacking AND size > 1 AND place % {VALIDATION_SHARE} = 0
                    THEN 'validation' ELSE split END AS split
        FROM (SELECT *, count(*) FILTER (split = 'validation') OVER (PARTITION BY training_set, label) = 0 AS lacking,
                     dense_rank() OVER (PARTITION BY training_set, label, split ORDER BY image_id) - 1 AS place,
                     count(DISTINCT image_id) OVER (PARTITION BY training_set, label, split) AS size
              FROM rows)
    """
    return query(sql, rows=rows)
