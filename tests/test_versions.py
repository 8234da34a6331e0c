"""Versions of the raw corpora: differences by generator, the gate, provenance, and a local remote."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update
from typer.testing import CliRunner

from nsnet.cli.main import app
from nsnet.corpus.gate import refuse_drift
from nsnet.corpus.ingest import ingest
from nsnet.corpus.versions import data_diff, pin
from tests.conftest import ROOT, commit, run
from tests.trees import draw

GENERATORS = ("progan", "biggan", "stargan")


@pytest.fixture(scope="module")
def versioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose data.dvc imports a small ForenSynths from outside, pinned and committed."""
    base = tmp_path_factory.mktemp("versions")
    seed = 0
    for generator in GENERATORS:
        for label in ("0_real", "1_fake"):
            for number in range(3):
                draw(base / f"downloads/forensynths/{generator}/{label}/{number}.png", seed := seed + 1)
    root = base / "project"
    root.mkdir()
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "init", "--quiet")
    run(root, "dvc", "config", "core.analytics", "false")
    run(root, "dvc", "import-url", "--quiet", str(base / "downloads"), "data")
    corpus = ingest(root / "data", base / "index.parquet")
    pin(root, corpus.samples, corpus.images, "2026-11-20")
    commit(root)
    return root


@pytest.fixture
def copy(versioned: Path, tmp_path: Path) -> Path:
    return shutil.copytree(versioned, tmp_path / "copy", symlinks=True)


def test_nothing_changed(versioned: Path) -> None:
    assert data_diff(versioned, "HEAD").is_empty()
    refuse_drift(versioned)
    assert "data/ is what is committed" in run(versioned, "nsnet", "data", "gate").stdout


def test_no_data_is_no_drift_and_nothing_to_compare(copy: Path) -> None:
    shutil.rmtree(copy / "data")
    assert "there is no data/ yet" in run(copy, "nsnet", "data", "gate").stdout
    differing = run(copy, "nsnet", "data", "diff", "HEAD", check=False)
    assert differing.returncode == 1 and "dvc pull data.dvc" in differing.stderr


def test_changes_are_told_by_generator(copy: Path) -> None:
    data = copy / "data/forensynths"
    draw(data / "biggan/1_fake/9.png", 90)
    (data / "progan/0_real/0.png").unlink()
    draw(data / "progan/1_fake/1.png", 91)
    draw(data / "newgan/1_fake/0.png", 92)
    expected = [
        ("forensynths", "biggan", 1, 0, 0),
        ("forensynths", "newgan", 1, 0, 0),
        ("forensynths", "progan", 0, 1, 1),
    ]
    assert data_diff(copy, "HEAD").rows() == expected
    with pytest.raises(ValueError, match=r"(?s)forensynths/progan: 0 added, 1 removed, 1 changed.*dvc checkout"):
        refuse_drift(copy)
    shown = run(copy, "nsnet", "data", "diff", "HEAD")
    assert "stargan" not in shown.stdout and "3 generators differ" in shown.stdout
    assert run(copy, "nsnet", "data", "gate", check=False).returncode == 1
    # Committed, it is the past that differs.
    run(copy, "dvc", "commit", "--force", "--quiet", "data.dvc")
    commit(copy)
    refuse_drift(copy)
    assert data_diff(copy, "HEAD~1").rows() == expected


def test_a_changed_file_is_named_by_its_whole_tree(copy: Path) -> None:
    """SDXL is a generator of two suites; the folders beside it tell which one this is."""
    shutil.rmtree(copy / "data/forensynths")
    for seed, name in enumerate(("SDXL", "SD3", "Imagen3", "StyleGAN3")):
        draw(copy / f"data/test/{name}/1_fake/0.png", seed)
    run(copy, "dvc", "commit", "--force", "--quiet", "data.dvc")
    commit(copy)
    draw(copy / "data/test/SDXL/1_fake/1.png", 50)
    assert data_diff(copy, "HEAD").rows() == [("aigibench", "sdxl", 1, 0, 0)]


def test_drift_is_seen_without_the_cache_that_would_name_the_files(copy: Path) -> None:
    shutil.rmtree(copy / ".dvc/cache")
    shutil.rmtree(copy / ".dvc/tmp", ignore_errors=True)
    draw(copy / "data/forensynths/biggan/1_fake/9.png", 90)
    with pytest.raises(ValueError, match="not what is committed"):
        refuse_drift(copy)


def test_a_manifest_that_is_in_no_cache_is_no_drift(copy: Path) -> None:
    (copy / "data/own").mkdir()
    draw(copy / "data/own/0.png", 80)
    (copy / "data/own/manifest.csv").write_text("path,label,generator\n0.png,1,mygen\n")
    run(copy, "dvc", "commit", "--force", "--quiet", "data.dvc")
    commit(copy)
    for path in (copy / ".dvc/cache").rglob("*"):
        if path.is_file() and path.suffix != ".dir":
            path.unlink()
    assert refuse_drift(copy) == "data/ is what is committed"
    draw(copy / "data/own/0.png", 81)
    assert data_diff(copy, "HEAD")["changed"].sum() == 1


def test_unknown_revision_is_told(versioned: Path) -> None:
    with pytest.raises(ValueError, match="dvc diff"):
        data_diff(versioned, "no-such-revision")


def test_damage_that_keeps_size_and_time_is_seen_deep_down(copy: Path) -> None:
    """A flipped bit that neither DVC nor the plain gate looks for."""
    damaged = copy / "data/forensynths/biggan/1_fake/1.png"
    refuse_drift(copy)  # DVC knows the file now
    whole, before = damaged.read_bytes(), damaged.stat()
    damaged.write_bytes(bytes([*whole[:60], whole[60] ^ 64, *whole[61:]]))
    os.utime(damaged, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "data/ is what is committed" in run(copy, "nsnet", "data", "gate").stdout
    refused = run(copy, "nsnet", "data", "gate", "--deep", check=False)
    assert refused.returncode == 1 and "forensynths/biggan: 0 added, 0 removed, 1 changed" in refused.stderr
    assert "other bytes: data/forensynths/biggan/1_fake/1.png" in refused.stderr
    assert "delete the files named, then `dvc checkout data.dvc`" in refused.stderr
    damaged.unlink()
    run(copy, "dvc", "checkout", "--quiet", "data.dvc")
    assert damaged.read_bytes() == whole
    assert "18 files read again" in run(copy, "nsnet", "data", "gate", "--deep").stdout


def test_missing_data_is_no_drift(copy: Path) -> None:
    shutil.rmtree(copy / "data")
    refuse_drift(copy)


def test_pointer_holds_provenance_and_one_line_per_generator(copy: Path, tmp_path: Path) -> None:
    before = yaml.safe_load((copy / "data.dvc").read_text())
    facts = before["meta"]["corpora"]["forensynths"]
    assert before["desc"] == "Raw corpora: ForenSynths (CNN_synth_testset)"
    assert {"producer", "citation", "url", "accessed", "licence"} <= set(facts)
    assert facts["accessed"] == "2026-11-20" and "CVPR" in facts["citation"]
    assert facts["generators"]["progan"]["images"] == 6
    draw(copy / "data/forensynths/biggan/1_fake/9.png", 90)
    corpus = ingest(copy / "data", tmp_path / "index.parquet")
    pin(copy, corpus.samples, corpus.images, "2026-11-20")
    after = yaml.safe_load((copy / "data.dvc").read_text())
    then, now = (content["meta"]["corpora"]["forensynths"]["generators"] for content in (before, after))
    assert {name for name in now if now[name] != then[name]} == {"biggan"}
    assert now["biggan"]["images"] == 7
    # The pointer is still DVC's: it reads it, and keeps what was written.
    run(copy, "dvc", "commit", "--force", "--quiet", "data.dvc")
    assert yaml.safe_load((copy / "data.dvc").read_text())["meta"] == after["meta"]


def test_manifests_tell_the_generators_of_removed_files(copy: Path) -> None:
    own = copy / "data/own"
    for number in range(2):
        draw(own / f"{number}.png", 80 + number)
    rows = pl.DataFrame({"path": ["0.png", "1.png"], "label": ["0", "1"], "generator": [None, "mygen"]})
    rows.write_csv(own / "manifest.csv")
    run(copy, "dvc", "commit", "--force", "--quiet", "data.dvc")
    commit(copy)
    shutil.rmtree(own)
    assert data_diff(copy, "HEAD").rows() == [("own", "mygen", 0, 1, 0), ("own", "real", 0, 1, 0)]


def test_a_local_remote_brings_the_data_back(copy: Path, tmp_path: Path) -> None:
    run(copy, "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    run(copy, "dvc", "push", "--quiet")
    commit(copy)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(copy), str(clone)], check=True)
    run(clone, "dvc", "pull", "--quiet", "data.dvc")
    files = sorted(path.relative_to(clone) for path in (clone / "data").rglob("*.png"))
    assert len(files) == 18
    assert all((clone / path).read_bytes() == (copy / path).read_bytes() for path in files)
    # One changed generator is one file and one listing more to send.
    sent = len([path for path in (tmp_path / "store").rglob("*") if path.is_file()])
    draw(clone / "data/forensynths/biggan/1_fake/9.png", 90)
    run(clone, "dvc", "commit", "--force", "--quiet", "data.dvc")
    run(clone, "dvc", "push", "--quiet")
    assert len([path for path in (tmp_path / "store").rglob("*") if path.is_file()]) == sent + 2


def test_pin_and_dvc_write_the_same_bytes(copy: Path, tmp_path: Path) -> None:
    """Long lines and all: neither re-wraps what the other wrote."""
    corpus = ingest(copy / "data", tmp_path / "index.parquet")
    samples = corpus.samples.with_columns(
        suite=pl.lit("a suite with a name so long that a line of eighty columns ends")
    )
    pointer = copy / "data.dvc"
    pointer.write_text("# a comment, kept by both\n" + pointer.read_text())
    pin(copy, samples, corpus.images, "2026-11-20")
    pinned = pointer.read_bytes()
    assert pinned.startswith(b"# a comment") and b"a suite with a name" in pinned
    assert max(map(len, pinned.splitlines())) <= 88, "no long line, so nothing would be wrapped"
    for words in (("commit", "--force", "--quiet", "data.dvc"), ("repro", "--quiet", "--force", "data.dvc")):
        run(copy, "dvc", *words)
        assert pointer.read_bytes() == pinned, words
    pin(copy, samples, corpus.images, "2026-11-20")
    assert pointer.read_bytes() == pinned


@pytest.mark.parametrize("name", ["params.yaml", "data.dvc"])
def test_files_that_dvc_rewrites_are_as_dvc_writes_them(name: str, tmp_path: Path) -> None:
    """`dvc exp run -S` rewrites params.yaml: what it does not set must stay as it is, comments and all."""
    text = (ROOT / name).read_text()
    assert dumps_yaml(parse_yaml_for_update(text, name)) == text
    if name == "params.yaml":
        shutil.copy(ROOT / name, tmp_path)
        apply_overrides(tmp_path / name, ["corpus.workers=7"])
        changed = zip(text.splitlines(), (tmp_path / name).read_text().splitlines(), strict=True)
        assert [(before.strip(), after.strip()) for before, after in changed if before != after] == [
            ("workers: 2", "workers: 7")
        ]


def test_the_gate_is_shut_where_there_is_no_project(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    for folder, lacking in ((tmp_path / "empty", "has no data.dvc and no .dvc"), (copy, "has no data.dvc, so nothing")):
        (folder / "data.dvc").unlink(missing_ok=True)
        monkeypatch.chdir(folder)
        refused = CliRunner().invoke(app, ["data", "gate"])
        assert refused.exit_code == 1 and lacking in refused.stderr
