"""The bias audit: files whose packaging gives the label away are found, others are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nsnet.corpus.audit import audit, file_auc
from nsnet.corpus.ingest import ingest
from nsnet.corpus.pairings import pairings
from tests.trees import draw


def audited(root: Path) -> pl.DataFrame:
    corpus = ingest(root, root.parent / "index.parquet", "own")
    return audit(corpus.images, pairings(corpus.samples), 0.75, 0)


def test_jpeg_against_png_is_flagged_and_equal_files_are_not(tmp_path: Path) -> None:
    root = tmp_path / "own"
    for seed in range(30):
        draw(root / f"real/pool/{seed}.jpg", seed, quality=80 + seed % 3)
        draw(root / f"fake/plain/{seed}.jpg", 100 + seed, quality=80 + seed % 3)
        draw(root / f"fake/packed/{seed}.png", 200 + seed)
        draw(root / f"fake/sized/{seed}.jpg", 300 + seed, (128, 128), quality=80 + seed % 3)
    table = {row["generator"]: row for row in audited(root).iter_rows(named=True)}
    assert {name for name, row in table.items() if row["flagged"]} == {"packed", "sized"}
    assert table["packed"]["auc"] == 1.0 and 0.3 < table["plain"]["auc"] < 0.7
    assert table["packed"]["formats_real"] == "JPEG 100 %" and table["packed"]["formats_fake"] == "PNG 100 %"
    assert table["packed"]["sentence"] == (
        "files alone reach AUC 1.00 and give the label away; real against fake:"
        " format JPEG 100 % against PNG 100 %; JPEG quality 81 against None"
    )
    assert "size 150 x 140 100 % against 128 x 128 100 %" in table["sized"]["sentence"]


def test_too_few_files_are_said_to_be_too_few(tmp_path: Path) -> None:
    root = tmp_path / "own"
    draw(root / "real/pool/a.jpg", 1)
    draw(root / "fake/one/b.png", 2)
    row = audited(root).row(0, named=True)
    assert (row["auc"], row["flagged"], row["sentence"]) == (None, False, "too few files to audit")


def test_interval_covers_the_true_auc() -> None:
    """Two overlapping widths whose true AUC is known: the interval holds it in at least 85 of 100 draws."""
    covered = 0
    rng = np.random.default_rng(0)

    def files(low: int) -> pl.DataFrame:
        width = rng.integers(low, low + 2, 80)
        empty = {"format": "PNG", "mode": "RGB", "height": 10, "jpeg_quality": None, "has_exif": False}
        return pl.DataFrame({"width": width}).with_columns(
            *(pl.lit(value).alias(name) for name, value in empty.items()), aspect=pl.col("width") / 10
        )

    for _ in range(100):
        auc, low, high = file_auc(files(10), files(11), 0)
        assert auc is not None
        covered += low <= 0.875 <= high  # P(fake wider) + P(equal) / 2 = 3/4 + 1/8
    assert covered >= 85


def test_auc_is_out_of_fold() -> None:
    """A tree that has seen the labels would tell pure noise apart."""
    rng = np.random.default_rng(1)
    noise = pl.DataFrame({"width": rng.permutation(200) + 10}).with_columns(
        format=pl.lit("PNG"), mode=pl.lit("RGB"), height=pl.lit(10), jpeg_quality=pl.lit(None), has_exif=pl.lit(False)
    )
    facts = noise.with_columns(aspect=pl.col("width") / 10)
    auc, _, high = file_auc(facts[:100], facts[100:], 0)
    assert auc == pytest.approx(0.5, abs=0.15) and high < 0.75


def test_fakes_are_compared_with_one_pool(tmp_path: Path) -> None:
    rows = ["path,label,generator,real_pool"]
    for seed, (label, pool) in enumerate([("real", "a"), ("real", "b"), ("fake", "a"), ("fake", "b")]):
        draw(tmp_path / f"{seed}.png", seed)
        rows.append(f"{seed}.png,{label},{'flux' if label == 'fake' else ''},{pool}")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    with pytest.raises(ValueError, match=r"several real pools: .*/flux"):
        audited(tmp_path)
