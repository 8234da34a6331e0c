"""Cards: derived from what is known, licences as they are stated, and detectors as folders of their own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from huggingface_hub import ModelCard

import nsnet
from nsnet.core.contracts import check
from nsnet.core.origin import describe
from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import file_sha256
from nsnet.corpus.contracts import Samples
from nsnet.prediction.cards import Facts, card, project_facts
from nsnet.prediction.folders import CONFIG, MODEL, README, read_folder
from nsnet.prediction.licences import terms
from nsnet.training.contracts import Runs
from nsnet.training.exports import SHIPPED
from nsnet.training.sets import training_sets
from tests.conftest import ROOT
from tests.predictors import nsnet as command
from tests.predictors import shipped, table
from tests.test_exams import DRAWN
from tests.test_exams import corpus as drawn_corpus
from tests.trees import draw


def shown(folder: Path, *words: str) -> str:
    finished = command(folder, "detectors", "show", *words)
    assert finished.exit_code == 0, finished.stderr
    return finished.stdout


def test_a_projects_card_says_what_its_tables_say(project: Path, tmp_path: Path) -> None:
    chosen = ["--training-set", "biased", "--seed", "1"]
    command(project, "runs", "export", str(tmp_path / "exported"), "--detector", "univfd", "--seed", "1")
    card = shown(project, "univfd", *chosen)
    samples = pl.read_parquet(project / "artifacts/corpus/samples.parquet")
    mine = samples.filter(training_set="biased")
    counts = dict(mine.group_by("split", "label").agg(pl.col("image_id").n_unique()).select(
        pl.concat_list("split", pl.col("label").cast(pl.String)).list.join("/"), "image_id"
    ).iter_rows())  # fmt: skip
    assert counts == {"train/0": 24, "train/1": 24, "validation/0": 8, "validation/1": 8}
    assert "pictures: train 24 real, 24 fake; validation 8 real, 8 fake" in card
    assert "generators: lab/bilinear_decoder, lab/guided_denoiser" in card
    means = pl.read_parquet(project / "artifacts/evaluate/means.parquet")
    row = means.filter(
        detector="univfd", training_set="biased", group="held-out", metric="auroc", condition="clean"
    ).to_dicts()[0]  # fmt: skip
    values = [f"{row['value']:.3f}", f"{row['ci_low']:.3f}..{row['ci_high']:.3f}"]
    values.append(f"{row['population_low']:.3f}..{row['population_high']:.3f}")
    assert f"| lab | clean | held-out | auroc | {' | '.join(values)} | 38 | 2 |" in card
    run = pl.read_parquet(project / "artifacts/train/runs.parquet").filter(
        detector="univfd", training_set="biased", seed=1
    )
    assert run["detector_sha256"].item() in card and "golden scores: none pinned" in card
    # Exported, it says the same without the tables, and has pinned scores.
    there = shown(tmp_path, "--detectors", "exported", *chosen)
    assert there.partition("- golden")[0] == card.partition("- golden")[0]
    assert len(re.findall(r"golden scores: (\S+, ){4}\S+\n", there)) == 1
    assert command(tmp_path, "detectors", "check", "--detectors", "exported").exit_code == 0


def test_every_shipped_detector_has_a_whole_card(tmp_path: Path) -> None:
    for name in ("cnn-control", "nsnet", "univfd"):
        text = shown(tmp_path, name, "--detectors", str(SHIPPED.root))
        heads = re.findall("^## (.*)$", text, re.MULTILINE)
        assert heads[:5] == ["Intended use", "Limits", "Training data", "Metrics", "Licences"]
        assert "LAB: simulated generators" in text and "says nothing of real pictures" in text
        assert "pictures: train 800 real, 800 fake" in text and "| held-out | auroc |" in text
        assert "- commercial_ok: true\n" in text and "none pinned" not in text


BACKBONE = json.loads(shipped()["backbone"])


@pytest.mark.parametrize(
    ("changes", "suites", "closed"),
    [
        ({}, ["lab"], []),
        ({}, ["lab", "genimage"], ["data genimage: CC BY-NC-SA 4.0 with"]),
        ({}, ["mine"], ["data mine: not stated"]),
        ({}, None, ["data (unknown suites): not stated"]),
        ({"model": "ViT-L-14", "weights": "openai"}, ["lab"], ["backbone ViT-L-14: not stated"]),
        ({"model": "ViT-L-14", "weights": "random"}, ["lab"], []),
        ({"model": "timm:vit_small_patch14_dinov2.lvd142m"}, ["lab"], []),
        ({"model": "timm:vit_small_patch16_dinov3.lvd1689m"}, ["lab"], ["backbone timm:vit_small_patch16_dinov3"]),
        ({"model": "timm:tf_efficientnet_lite0", "weights": "package"}, ["lab"], ["backbone timm:tf_efficientnet_lit"]),
    ],
)
def test_commercial_use_is_allowed_where_every_licence_is_stated_and_allows_it(
    changes: dict[str, Any], suites: list[str] | None, closed: list[str]
) -> None:
    run = shipped(backbone=json.dumps(BACKBONE | changes))
    found = terms(run, suites)
    assert found.commercial_ok == (not closed) and len(found.reasons) == len(closed)
    assert all(reason.startswith(start) for reason, start in zip(found.reasons, closed, strict=True))


def test_a_detector_of_pixels_needs_no_backbones_licence() -> None:
    record = json.dumps(BACKBONE | {"model": "ViT-L-14", "weights": "openai"})
    [run] = pl.read_parquet(SHIPPED.table(Runs)).filter(kind="cnn").to_dicts()
    cnn = run | {"backbone": record}
    assert terms(cnn, ["lab"]).licences == {"backbone ViT-L-14": "none needed", "data lab": "Apache-2.0"}


@pytest.mark.parametrize("world", ["NOT MEANINGFUL: real pictures (x)", "RANDOM: pictures of lab"])
def test_what_means_nothing_has_no_use(world: str) -> None:
    assert "## Intended use\n\nNone.\n" in card(shipped(origin=world), Facts())


def test_every_world_of_real_pictures_has_a_use() -> None:
    for suites in (["sd-samples"], ["genimage"], ["lab", "genimage"]):
        assert "## Intended use\n\nResearch" in card(shipped(origin=describe(suites, "timm:x", "package")), Facts())


def test_the_card_of_a_drawn_set_is_of_its_own_draw(tmp_path: Path) -> None:
    paths, samples = Paths(tmp_path), drawn_corpus()
    write_table(Samples, samples, paths.table(Samples))
    for pictures in training_sets(samples):
        run = shipped(training_set="biased", data_checksum=pictures.checksum)
        training = project_facts(paths, run).training
        assert training is not None and pictures.draw is not None
        assert training.generators == [f"s/{name}" for name in DRAWN[pictures.draw]]


def test_two_versions_of_one_detector_are_refused_in_one_table() -> None:
    with pytest.raises(ValueError, match="table runs breaks its contract"):
        check(Runs, table(shipped(), shipped(run_id="another", detector_sha256="0" * 64)))
    check(Runs, table(shipped(), shipped(run_id="another", seed=1)))


def test_a_saved_detector_is_what_the_hub_pushes_and_pulls(tmp_path: Path) -> None:
    source = ["--detectors", str(SHIPPED.root)]
    assert command(tmp_path, "detectors", "save", "univfd", "mine", *source).exit_code == 0
    folder = tmp_path / "mine"
    assert sorted(path.name for path in folder.iterdir()) == [README, CONFIG, MODEL]
    run = json.loads((folder / CONFIG).read_text())["run"]
    assert file_sha256(folder / MODEL) == run["detector_sha256"]
    page = ModelCard.load(folder / README)
    assert page.data.license == "apache-2.0" and page.data.library_name == "nsnet" and page.data.commercial_ok
    assert page.data.pipeline_tag == "image-classification" and page.data.metrics == [
        "accuracy", "average_precision", "roc_auc",
    ]  # fmt: skip
    results = {(one.dataset_config, one.metric_type): one.metric_value for one in page.data.eval_results}
    assert len(results) == 6
    assert page.text.strip() == shown(tmp_path, "--detectors", "mine").strip()
    for one in read_folder(folder)[1].metrics:
        name = {"acc": "accuracy", "ap": "average_precision", "auroc": "roc_auc"}[one.metric]
        assert results[f"{one.group}, clean", name] == pytest.approx(one.value, abs=1e-4)
    path = draw(tmp_path / "a.png", 1)
    expected = nsnet.load("univfd", detectors=SHIPPED.root).predict(path)
    assert nsnet.load(str(folder)).predict(path) == nsnet.load(detectors=folder).predict(path) == expected
    said = command(tmp_path, "predict", "a.png", "--detectors", "mine", "--format", "json")
    assert json.loads(said.stdout)[0]["score"] == expected.score
    assert "univfd" in command(tmp_path, "detectors", "--detectors", "mine").stdout
    assert command(tmp_path, "detectors", "check", "--detectors", "mine").exit_code == 0
    # As huggingface_hub keeps what it pulled: links to files that are named by their checksums.
    pulled = tmp_path / "models--me--mine/snapshots/1"
    pulled.mkdir(parents=True)
    for number, path in enumerate(sorted(folder.iterdir())):
        blob = tmp_path / f"models--me--mine/blobs/{number}"
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(path.read_bytes())
        (pulled / path.name).symlink_to(Path("../../blobs") / str(number))
    assert nsnet.load(str(pulled)).predict(tmp_path / "a.png") == expected
    # Saved again from there, the same bytes.
    assert command(tmp_path, "detectors", "save", "univfd", "twice", "--detectors", "mine").exit_code == 0
    assert [(folder / name).read_bytes() for name in (README, CONFIG, MODEL)] == [
        (tmp_path / "twice" / name).read_bytes() for name in (README, CONFIG, MODEL)
    ]


def test_damaged_folders_are_refused_with_all_faults(tmp_path: Path) -> None:
    command(tmp_path, "detectors", "save", "univfd", "mine", "--detectors", str(SHIPPED.root))
    config = json.loads((tmp_path / "mine" / CONFIG).read_text())
    for text, fault in (
        ("{", "config.json cannot be read"),
        ('{"nsnet": "1"}', r"(?s)config.json has 2 fault.*run.*facts"),
        (json.dumps(config | {"run": {"run_id": "x"}}), "run lacks adapter, backbone"),
        (json.dumps(config | {"run": config["run"] | {"seed": "one"}}), "run is no row of the table runs"),
    ):
        (tmp_path / "mine" / CONFIG).write_text(text)
        with pytest.raises(ValueError, match=fault):
            nsnet.load(str(tmp_path / "mine"))
    (tmp_path / "mine" / CONFIG).write_text(json.dumps(config))
    (tmp_path / "mine" / MODEL).write_bytes(b"other")
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        nsnet.load(str(tmp_path / "mine"))


def test_scores_name_file_and_version(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", 1)
    said = command(tmp_path, "predict", "a.png", "--detectors", str(SHIPPED.root), "--format", "csv").stdout
    row = pl.read_csv(said.encode()).to_dicts()[0]
    assert row["sha256"] == shipped()["detector_sha256"] and row["version"] == nsnet.__version__
    assert nsnet.__version__ in command(tmp_path, "--version").stdout


def test_the_page_names_commands_that_there_are() -> None:
    text = (ROOT / "docs/predict.md").read_text()
    for words in ("show univfd", "check", "save univfd my-univfd"):
        assert f"$ nsnet detectors {words} " in text
