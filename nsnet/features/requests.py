"""What a project asks of the features: from params.yaml and the tables of its corpus to a request."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import duckdb

from nsnet.core.paths import Paths
from nsnet.core.settings import load_section, load_value
from nsnet.corpus.contracts import Images, Samples
from nsnet.features.backbone import Backbone
from nsnet.features.conditions import choose
from nsnet.features.jobs import Request
from nsnet.features.pictures import Key
from nsnet.features.settings import Conditions, Features

# Above this many pictures, the features of patches are made only if asked for by name:
# at d = 768 and float16 they are 75 KB a picture.
AUTO_PATCHES = 100_000


def project_request(paths: Paths, backbone: Backbone) -> Request:
    """What the tables features and patches of a project are to hold.

    Args:
        paths: the project, whose stage corpus has run.
        backbone: the tower that params.yaml names.

    Returns:
        The request.

    Raises:
        OSError: there is no table of the corpus.
        ValueError: params.yaml has faults.
    """
    settings = load_section(paths.params, "features", Features)
    conditions = load_value(paths.params, "conditions", Conditions)
    train, test = (
        choose(load_value(paths.params, f"{section}.conditions", list[str]), conditions)
        for section in ("train", "evaluate")
    )
    samples = paths.table(Samples)
    return Request(
        images=paths.table(Images),
        samples=samples,
        root=paths.data,
        train=train,
        test=test,
        keys=keys_of(settings),
        dtype=settings.dtype,
        patches=wants_patches(settings.patches, samples, backbone),
    )


def keys_of(settings: Features) -> tuple[Key, ...]:
    """What is made of each picture: all views, and of the mosaic as many draws as `features.draws` says."""
    return tuple(
        Key(view, draw) for view in settings.views for draw in range(settings.draws if view == "mosaic" else 1)
    )


def wants_patches(asked: bool | Literal["auto"], samples: Path, backbone: Backbone) -> bool:
    """Whether `features.patches` asks for features of patches: `auto` does if there are few pictures and tokens.

    Args:
        asked: the setting.
        samples: Parquet of the table samples.
        backbone: the tower.

    Returns:
        Whether they are wanted.
    """
    if asked != "auto":
        return asked
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT count(DISTINCT image_id) FROM read_parquet(?)", [str(samples)]).fetchall()
    return backbone.has_patches and rows[0][0] <= AUTO_PATCHES
