"""The tables of a corpus on disk, and an account of every file in it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nsnet.core.contracts import table_name
from nsnet.core.foresight import Work, seconds_each
from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar
from nsnet.corpus.contracts import Duplicates, Images, Samples
from nsnet.corpus.ingest import Corpus, ingest
from nsnet.corpus.inspection import LIMITS, Limits
from nsnet.corpus.manifests import listed_roles
from nsnet.corpus.scan import survey
from nsnet.corpus.settings import Protocols

# Every file is in the table images; a log of a million lines helps nobody.
SHOWN = 20


def read_corpus(
    root: Path,
    paths: Paths,
    suite: str | None,
    workers: int,
    allow_leakage: list[str],
    protocols: Protocols | None = None,
    limits: Limits = LIMITS,
) -> Corpus:
    """Write the tables images, samples and duplicates.

    Args:
        root: folder with the pictures.
        paths: project whose tables are written.
        suite, workers, allow_leakage, protocols, limits: as `nsnet.corpus.ingest.ingest`.

    Returns:
        What was written; `account` says it in sentences.

    Raises:
        OSError, ValueError: as there; OSError also if a table cannot be written.
    """
    with bar("corpus", None) as advance:
        corpus = ingest(root, paths.scan_index, suite, workers, allow_leakage, protocols, limits, advance)
    for kind in (Images, Samples, Duplicates):
        write_table(kind, getattr(corpus, table_name(kind)), paths.table(kind))
    return corpus


def foresee_corpus(root: Path, paths: Paths, suite: str | None, cost: str, limits: Limits = LIMITS) -> Work:
    """What `read_corpus` would do.

    Args:
        root, paths, suite, limits: as there.
        cost: stage or command whose last run tells how long.

    Returns:
        Files to read, and those that are as they were when they were last read.

    Raises:
        OSError, ValueError: the folder cannot be listed, or a manifest has faults.
    """
    listed, _ = listed_roles(root, root.resolve().name, suite)
    found = survey(root, paths.scan_index, [role.path for role in listed], limits)
    return Work("files to read", found.inspected + found.known, found.known, seconds_each(paths.cost(cost)))


def account(corpus: Corpus) -> str:
    """images in = used + rejected, and why each was rejected or converted."""
    images, samples = corpus.images, corpus.samples
    used, rejected = (images.filter(status=status) for status in ("used", "rejected"))
    fakes = samples.filter(label=1).select("suite", "generator").unique().height
    lines = [
        f"corpus: {images.height} images in = {used.height} used + {rejected.height} rejected;"
        f" {samples.height} samples of {fakes} generators; suites: {', '.join(samples['suite'].unique().sort())}"
    ]
    for kind, rows in (("rejected", rejected), ("converted", used.filter(pl.col("reason").is_not_null()))):
        shown = rows.select("path", "reason").head(SHOWN).iter_rows()
        lines += [f"  {kind} {path}: {reason}" for path, reason in shown]
        lines += [f"  ... and {rows.height - SHOWN} more {kind}: table images"] if rows.height > SHOWN else []
    kinds = corpus.duplicates.group_by("kind", "confirmed").len().sort("kind", "confirmed")
    for kind, confirmed, count in kinds.iter_rows():
        noun = "duplicates" if confirmed else "hashes whose detail differs"
        lines.append(f"  {count} pairs of {kind} {noun}: table duplicates")
    if corpus.others:
        others = ", ".join(f"{suffix} {count}" for suffix, count in corpus.others.items())
        lines.append(f"  left alone, no pictures: {others}")
    return "\n".join(lines)
