"""Stage audit: which generators do the files alone give away?"""

from __future__ import annotations

import polars as pl

from nsnet import config
from nsnet.audit import audit
from nsnet.config import load_params
from nsnet.pairings import pairings
from nsnet.parquet import read_table, write_table
from nsnet.paths import Paths
from nsnet.progress import cost


def audit_corpus(paths: Paths, settings: config.Audit) -> pl.DataFrame:
    """Write and return the table bias_audit of the corpus in `paths`."""
    images, samples = (read_table(name, paths.table(name)) for name in ("images", "samples"))
    found = audit(images, pairings(samples), settings.flag_auc, settings.seed)
    write_table("bias_audit", found, paths.table("bias_audit"))
    return found


def main() -> None:
    paths = Paths()
    with cost(paths.cost("audit")):
        found = audit_corpus(paths, load_params(paths.params).audit)
    flagged = found.filter("flagged")
    print(f"audit: {flagged.height} of {found.height} generators are given away by their files alone")
    for suite, generator, sentence in flagged.select("suite", "generator", "sentence").iter_rows():
        print(f"  {suite}/{generator}: {sentence}")
