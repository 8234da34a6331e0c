"""Scores that people bring: read in three formats, every fault told at once, pictures found in the corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Images, Samples
from nsnet.evaluation.contests import contests_of, pictures_of
from nsnet.evaluation.score_files import Claims
from nsnet.evaluation.score_imports import import_scores
from nsnet.evaluation.score_store import Record, ScoreStore
from nsnet.training.contracts import Runs
from tests.synthetic import images, runs, samples

CLAIMS = Claims("dire", version="1.0")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A corpus with its runs, and pictures called lab/IMAGE_ID.png."""
    paths = Paths(tmp_path / "project")
    for kind, frame in ((Samples, samples()), (Images, images(samples())), (Runs, runs())):
        write_table(kind, frame, paths.table(kind))
    return paths


def scored(**columns: Any) -> pl.DataFrame:
    """A score of every test picture."""
    names = pictures_of(contests_of(samples()))
    frame = pl.DataFrame({"path": [f"lab/{name}.png" for name in names]})
    scores = [number / len(names) for number in range(len(names))]
    return frame.with_columns(score=pl.Series(scores), **columns)


def write(frame: pl.DataFrame, file: Path) -> Path:
    {".csv": frame.write_csv, ".jsonl": frame.write_ndjson, ".parquet": frame.write_parquet}[file.suffix](file)  # type: ignore[operator]
    return file


def bring(
    paths: Paths, file: Path, claims: Claims = CLAIMS, threshold: float | None = None, *sets: str
) -> list[Record]:
    return import_scores(paths, file, claims, ["clean", "jpeg50"], threshold, sets)[0]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_three_formats_give_the_same_scores(paths: Paths, tmp_path: Path, suffix: str) -> None:
    frame = scored().with_columns(pl.col("score") / 3)  # digits that a short format would lose
    [record] = bring(paths, write(frame, tmp_path / f"scores{suffix}"))
    found = ScoreStore(paths.scores).scores(record)
    expected = frame.select(pl.col("path").str.slice(4).str.head(-4).alias("image_id"), "score").sort("image_id")
    assert found.equals(expected) and record.version == "1.0" and record.source == f"scores{suffix}"
    assert bring(paths, tmp_path / f"scores{suffix}") == []  # the same again is nothing new


def test_every_fault_is_told_at_once_and_nothing_is_kept(paths: Paths, tmp_path: Path) -> None:
    lines = scored(label=pl.lit("")).with_columns(pl.col("score").cast(pl.String)).rows()
    lines[1] = (lines[1][0], "nan", "")
    lines[2] = (lines[2][0], "-inf", "")
    lines[3] = (lines[3][0], "1.25", "")
    lines[4] = (lines[4][0], "high", "")
    lines[5] = (lines[5][0], "", "")
    lines[6] = lines[7]
    lines[8] = (lines[8][0], "0.5", "real")  # a fake
    lines.append(("lab/nowhere.png", "0.5", ""))
    lines.append(("", "0.5", ""))
    file = write(pl.DataFrame(lines, schema=["path", "score", "label"], orient="row"), tmp_path / "scores.csv")
    with pytest.raises(ValueError) as error:
        bring(paths, file, Claims("dire", condition="jpg50"), None, "biassed")
    message = str(error.value)
    names = pictures_of(contests_of(samples()))
    for expected in (
        "1 scores that are missing",
        "line 7: no score",
        "line 3: score 'nan'; expected a finite number",
        "line 4: score '-inf'",
        "line 5: score '1.25'; expected 0..1, or another scale: --scale logit, llr or percent",
        "line 6: score 'high'; expected a number",
        f"line 8, line 9: lab/{names[7]}.png by dire under jpg50; expected one score",
        f"no score of lab/{names[6]}.png by dire under jpg50",
        f"line 10: label 'real', but lab/{names[8]}.png has 1",
        "'lab/nowhere.png'; expected a path as in the table images, such as lab/blur00.png",
        "1 rows without a picture",
        "unknown condition 'jpg50'; did you mean jpeg50?",
        "unknown training set 'biassed'; did you mean biased",
    ):
        assert expected in message, message
    assert not paths.scores.exists()


def test_many_faults_are_counted_and_a_few_shown(paths: Paths, tmp_path: Path) -> None:
    frame = scored().with_columns(pl.col("score") + 2)
    with pytest.raises(ValueError) as error:
        bring(paths, write(frame, tmp_path / "scores.csv"))
    assert f"{frame.height} scores out of range" in str(error.value) and str(error.value).count("\n") == 6
    assert f"... and {frame.height - 5} more scores out of range" in str(error.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"path": "pth"}, "no column path or image_id\n  column 'pth' is not read; did you mean path?"),
        ({"score": "scroe"}, "no column score\n  column 'scroe' is not read; did you mean score?"),
        ({"path": "name", "score": "p"}, "no column path or image_id\n  no column score"),
    ],
)
def test_columns_that_are_missing_get_near_names(
    paths: Paths, tmp_path: Path, columns: dict[str, str], message: str
) -> None:
    file = write(scored().rename(columns), tmp_path / "scores.csv")
    with pytest.raises(ValueError) as error:
        bring(paths, file)
    assert message in str(error.value)
    with pytest.raises(ValueError, match=r"no column detector \(or --detector NAME\)"):
        bring(paths, file, Claims())


@pytest.mark.parametrize("folder", ["", "./", "data/", "/disk/suites/all of it/"])
def test_pictures_are_found_wherever_the_corpus_lay(paths: Paths, tmp_path: Path, folder: str) -> None:
    frame = scored().with_columns(folder + pl.col("path"))
    [record] = bring(paths, write(frame, tmp_path / "scores.csv"))
    assert ScoreStore(paths.scores).scores(record).height == frame.height


def test_pictures_go_by_their_checksum_too(paths: Paths, tmp_path: Path) -> None:
    named = scored().with_columns(image_id=pl.col("path").str.slice(4).str.head(-4))
    [record] = bring(paths, write(named.drop("path"), tmp_path / "scores.csv"))
    assert ScoreStore(paths.scores).scores(record).height == named.height
    turned = named.with_columns(pl.col("image_id").reverse())
    with pytest.raises(ValueError, match="rows whose path and image_id are two pictures"):
        bring(paths, write(turned, tmp_path / "turned.csv"), Claims("other"))


def test_copies_that_the_corpus_set_aside_do_not_count(paths: Paths, tmp_path: Path) -> None:
    frame = scored()
    twins = frame.head(3).with_columns(pl.col("path").str.replace("lab/", "twins/"), score=pl.lit(0.9))
    file = write(pl.concat([frame, twins]), tmp_path / "scores.csv")
    [record], aside = import_scores(paths, file, CLAIMS, ["clean"], None, [])
    assert aside == 3 and ScoreStore(paths.scores).scores(record)["score"].max() == frame["score"].max()


def test_other_scales_and_their_thresholds(paths: Paths, tmp_path: Path) -> None:
    frame = scored().with_columns(pl.col("score") * 100)
    [record] = bring(paths, write(frame, tmp_path / "scores.csv"), Claims("dire", scale="percent"), 60)
    assert record.threshold == 0.6 and record.scale == "percent"
    with pytest.raises(ValueError, match=r"threshold 600 is not on the scale percent: 0\.\.100"):
        bring(paths, tmp_path / "scores.csv", Claims("dire", scale="percent"), 600)
    with pytest.raises(ValueError, match="unknown scale 'logits'; did you mean logit"):
        bring(paths, tmp_path / "scores.csv", Claims("dire", scale="logits"))


def test_several_detectors_in_one_file(paths: Paths, tmp_path: Path) -> None:
    both = pl.concat([scored(detector=pl.lit("dire")), scored(detector=pl.lit("npr"))])
    assert [record.detector for record in bring(paths, write(both, tmp_path / "scores.csv"), Claims())] == [
        "dire",
        "npr",
    ]
    with pytest.raises(ValueError, match=r"names for several detectors.*\n.*--detector dire is one name.*dire, npr"):
        bring(paths, tmp_path / "scores.csv")
    ours = scored(detector=pl.lit("nsnet"))
    with pytest.raises(ValueError, match="detector nsnet: give another with --detector"):
        bring(paths, write(ours, tmp_path / "ours.csv"), Claims())
    assert bring(paths, tmp_path / "ours.csv", Claims("theirs"))[0].detector == "theirs"


def test_versions_are_not_mixed(paths: Paths, tmp_path: Path) -> None:
    file = write(scored(), tmp_path / "scores.csv")
    bring(paths, file)
    for claims in (Claims("dire", "jpeg50", "2.0"), Claims("dire", "jpeg50", "1.0", "a" * 64)):
        with pytest.raises(ValueError, match="one table holds one version of a detector: `nsnet results remove dire`"):
            bring(paths, file, claims)
    with pytest.raises(ValueError, match=r"imported from scores\.csv: `nsnet results remove dire`, then import again"):
        bring(paths, write(scored().with_columns(pl.col("score") / 2), tmp_path / "other.csv"))
    assert len(bring(paths, file, Claims("dire", "jpeg50", "1.0"))) == 1
    two = pl.concat([scored(version=pl.lit(name), condition=pl.lit(name)) for name in ("clean", "jpeg50")])
    with pytest.raises(ValueError, match="detector 'npr' has version 'clean', 'jpeg50': one table holds one version"):
        bring(paths, write(two, tmp_path / "two.csv"), Claims("npr"))
    with pytest.raises(ValueError, match="sha256 'abc'; expected 64 hexadecimal digits"):
        bring(paths, file, Claims("npr", sha256="abc"))


def test_scores_are_removed_by_name(paths: Paths, tmp_path: Path) -> None:
    file = write(scored(), tmp_path / "scores.csv")
    bring(paths, file)
    bring(paths, file, Claims("../npr"))  # a name is no path
    store = ScoreStore(paths.scores)
    with pytest.raises(ValueError, match="unknown external detector 'dir'; did you mean dire"):
        store.remove(["dir"])
    assert [record.detector for record in store.remove(["../npr"])] == ["../npr"]
    assert [record.detector for record in store.records()] == ["dire"] and not (paths.root / "npr").exists()


def test_a_damaged_file_is_refused(paths: Paths, tmp_path: Path) -> None:
    [record] = bring(paths, write(scored(), tmp_path / "scores.csv"))
    [file] = paths.scores.glob("*/*.parquet")
    facts = pl.read_parquet_metadata(file)
    frame = pl.read_parquet(file).with_columns(pl.col("score").reverse())
    frame.write_parquet(file, metadata={name: facts[name] for name in ("nsnet", "sha256")})
    store = ScoreStore(paths.scores)
    with pytest.raises(ValueError, match="is damaged: `nsnet results remove dire`, then import again"):
        store.scores(record)
    file.write_bytes(b"PAR1")
    with pytest.raises(ValueError, match="is no file of `nsnet results import`, or is damaged"):
        store.records()
