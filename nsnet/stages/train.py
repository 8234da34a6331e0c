"""Stage train: every detector of params.yaml on every training set, with every seed; what is known is not retrained."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any

from nsnet.core.contracts import make
from nsnet.core.device import best_device
from nsnet.core.files import atomic_path
from nsnet.core.foresight import Work
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.core.settings import load_section, load_value
from nsnet.corpus.contracts import Images, Samples
from nsnet.features.conditions import choose
from nsnet.features.contracts import Features
from nsnet.features.settings import Backbone as Section
from nsnet.features.settings import Conditions
from nsnet.semantics.caption_pool import EncodeTexts
from nsnet.semantics.contracts import ImageBasis, SemanticBasis
from nsnet.semantics.null_space import load_bases
from nsnet.training.companions import companions
from nsnet.training.contracts import Runs
from nsnet.training.examples import FeatureSource, Material, PixelSource
from nsnet.training.execution import run_row, train_missing
from nsnet.training.runner import launch
from nsnet.training.runs import RunStore
from nsnet.training.sets import training_sets
from nsnet.training.settings import Train
from nsnet.training.trainings import NamedBackbone, Training, plan

if TYPE_CHECKING:  # takes seconds
    from nsnet.features.backbone import Backbone

# What the companions of a training set are of, in the section semantics.
CAPTIONED: dict[str, Any] = {"pool.content": list[str], "text": str | None}


def planned(paths: Paths, backbone: NamedBackbone, encoder: Callable[[], EncodeTexts]) -> list[Training]:
    """What the project's params.yaml and tables ask for.

    Args:
        paths: of the project.
        backbone: the one that the section backbone names.
        encoder: makes what encodes captions.

    Returns:
        The trainings, sorted as in the table runs.

    Raises:
        ValueError: as `load_section`, `training_sets` and `plan`.
    """
    train = load_section(paths.params, "train", Train)
    samples = read_table(Samples, paths.table(Samples))
    words, text = (load_value(paths.params, f"semantics.{name}", kind) for name, kind in CAPTIONED.items())
    known = choose(train.conditions, load_value(paths.params, "conditions", Conditions))
    bases = load_bases(*(read_table(kind, paths.table(kind)) for kind in (SemanticBasis, ImageBasis)))
    named = {condition.name: condition for condition in known}
    return plan(train, training_sets(samples), named, backbone, bases, companions(samples, words, text, encoder))


def write_runs(
    trainings: list[Training], facts: Mapping[str, Mapping[str, Any]], store: RunStore, paths: Paths
) -> None:
    """Write the table runs and the detectors that it names, and how long each took.

    Args:
        trainings: what params.yaml asks for, in the table's order.
        facts: of each run, from `train_missing`.
        store: where the detectors are kept.
        paths: of the project.
    """
    shutil.rmtree(paths.detectors, ignore_errors=True)
    paths.detectors.mkdir(parents=True)
    for training in trainings:
        shutil.copyfile(store.detector(training.run_id), paths.detectors / f"{training.run_id}.safetensors")
    rows = [run_row(training, facts[training.run_id]) for training in trainings]
    write_table(Runs, make(Runs, rows), paths.table(Runs))
    seconds = {training.run_id: facts[training.run_id]["seconds"] for training in trainings}
    with atomic_path(paths.cost("runs")) as temporary:
        temporary.write_text(json.dumps(seconds, indent=2) + "\n")


def train(paths: Paths, backbone: NamedBackbone, material: Material, encoder: Callable[[], EncodeTexts]) -> str:
    """Train what params.yaml asks for and the store lacks; write the table runs; say what was done.

    Args:
        paths: of the project.
        backbone: the one that the section backbone names.
        material: its features and pixels.
        encoder: makes what encodes captions.

    Returns:
        A sentence: runs trained, runs known, seconds of the slowest and how much of them it waited for pictures;
        nothing in the other processes of a training on several devices.

    Raises:
        ValueError: as `planned` and `train_missing`.
    """
    trainings, store = planned(paths, backbone, encoder), RunStore(paths.run_store)
    first = launch(load_section(paths.params, "train", Train).runtime)
    with bar("train", len(trainings)) as advance:
        facts, trained = train_missing(trainings, store, material, advance, first)
    if not first:
        return ""
    write_runs(trainings, facts, store, paths)
    slowest = max(facts.values(), key=lambda one: one["seconds"])
    return (
        f"train: {trained} runs trained, {len(trainings) - trained} already known; slowest {slowest['seconds']:.1f} s,"
        f" of whose updates {slowest['waiting']:.0%} of the time went into waiting for data"
    )


def foresee(paths: Paths) -> list[Work]:
    """What the stage would do, by kind of detector; seconds of a training are those of the kept runs of its kind."""
    backbone, encoder = _named(paths)
    store = RunStore(paths.run_store)
    kept = {run_id: store.facts(run_id) for run_id in store.ids()}
    works = []
    trainings = sorted(planned(paths, backbone, encoder), key=lambda one: one.settings.kind)
    for kind, members in itertools.groupby(trainings, key=lambda one: one.settings.kind):
        asked = [one.run_id for one in members]
        seconds = [facts["seconds"] for facts in kept.values() if facts.get("kind") == kind and "seconds" in facts]
        known = sum(run_id in kept for run_id in asked)
        works.append(Work(f"trainings, {kind}", len(asked), known, fmean(seconds) if seconds else None))
    return works


def _named(paths: Paths) -> tuple[Backbone, Callable[[], EncodeTexts]]:
    """The backbone that params.yaml names, and what makes its encoder of captions."""
    from nsnet.features.backbone import load_backbone
    from nsnet.semantics.sentence_encoder import text_encoder

    backbone = load_backbone(load_section(paths.params, "backbone", Section))

    def encoder() -> EncodeTexts:
        return text_encoder(load_value(paths.params, "semantics.text", CAPTIONED["text"]), backbone, best_device())

    return backbone, encoder


def main() -> None:
    from nsnet.features.matrices import FeatureReader
    from nsnet.features.pictures import PictureSource
    from nsnet.features.pixels import PixelStore

    paths = Paths()
    with cost(paths.cost("train")):
        backbone, encoder = _named(paths)

        def pixels() -> PixelSource:
            images = read_table(Images, paths.table(Images)).filter(status="used")
            files = {image_id: paths.data / name for image_id, name in images.select("image_id", "path").iter_rows()}
            return PixelStore(paths.pixel_store, PictureSource(files, backbone.views))

        reader: FeatureSource = FeatureReader(paths.table(Features))
        message = train(paths, backbone, Material(backbone.id, reader, pixels, backbone), encoder)
    if message:
        print(message)
