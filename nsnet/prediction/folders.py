"""A detector as a folder of its own: what huggingface_hub pushes and pulls (`upload_folder`, `snapshot_download`).

- `model.safetensors`: the detector's file, as in any other place.
- `config.json`: its row of the table runs, and what else is known of it.
- `README.md`: its card, below the front matter that the Hub reads.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from huggingface_hub import EvalResult, ModelCard, ModelCardData

import nsnet
from nsnet.core.contracts import check, make
from nsnet.core.files import atomic_path
from nsnet.core.settings import Section, read_json
from nsnet.prediction.cards import Facts, card
from nsnet.prediction.licences import COMMERCIAL, terms
from nsnet.training.contracts import Runs

MODEL, CONFIG, README = "model.safetensors", "config.json", "README.md"
# What the Hub calls our metrics.
METRICS = {"acc": "accuracy", "ap": "average_precision", "auroc": "roc_auc"}


class Config(Section):
    """What config.json holds."""

    nsnet: str
    run: dict[str, Any]
    facts: Facts


def is_detector_folder(folder: Path) -> bool:
    """Is this a folder of one detector, as `write_folder` makes them?"""
    return (folder / CONFIG).is_file()


def write_folder(file: Path, run: Mapping[str, Any], facts: Facts, out: Path) -> None:
    """Write a detector's folder.

    Args:
        file: the detector's.
        run: its row of the table runs.
        facts: what else is known of it.
        out: made if it does not exist; config.json is written last.

    Raises:
        OSError: a file cannot be read or written.
    """
    with atomic_path(out / MODEL) as temporary:
        shutil.copyfile(file, temporary)
    page = ModelCard(f"---\n{_front_matter(run, facts).to_yaml()}\n---\n\n{card(run, facts)}")
    with atomic_path(out / README) as temporary:
        temporary.write_text(str(page), encoding="utf-8")
    config = Config(nsnet=nsnet.__version__, run=dict(run), facts=facts)
    with atomic_path(out / CONFIG) as temporary:
        temporary.write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_folder(folder: Path) -> tuple[pl.DataFrame, Facts]:
    """The table runs of one row that a detector's folder stands for, and what else is known of it.

    Raises:
        ValueError: config.json is not there, or not what `write_folder` writes: all faults at once.
    """
    file = folder / CONFIG
    config = read_json(file, Config)
    lacking = sorted({*make(Runs, []).columns} - config.run.keys())
    if lacking:
        raise ValueError(f"{file}: run lacks {', '.join(lacking)}; it was written by nsnet {config.nsnet}")
    try:
        return check(Runs, make(Runs, [config.run])), config.facts
    except (pl.exceptions.PolarsError, TypeError, OverflowError) as error:
        raise ValueError(f"{file}: run is no row of the table runs: {error}") from error


def _front_matter(run: Mapping[str, Any], facts: Facts) -> ModelCardData:
    world = run["origin"].partition(":")[0]
    found = terms(run, facts.training.suites if facts.training else None)
    stated = {name.casefold() for name in found.licences.values()} & COMMERCIAL
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type=metric.suite,
            dataset_config=f"{metric.group}, {metric.condition}",  # what tells results apart
            dataset_name=f"{metric.suite}, {metric.group} generators, {metric.condition}",
            metric_type=METRICS[metric.metric],
            metric_value=round(metric.value, 4),
        )
        for metric in facts.metrics
    ]
    return ModelCardData(
        # A name that the Hub knows where one licence covers all parts; else the card says which covers what.
        license=stated.pop() if found.commercial_ok and len(stated) == 1 else "other",
        library_name="nsnet",
        pipeline_tag="image-classification",
        tags=["ai-generated-image-detection", f"world:{world.lower().replace(' ', '-')}"],
        metrics=sorted({result.metric_type for result in results}) or None,
        model_name=f"{run['detector']}-{run['training_set']}-{run['seed']}",
        eval_results=results or None,
        commercial_ok=found.commercial_ok,
    )
