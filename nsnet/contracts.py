"""The tables: one pandera schema each, checked where a table enters or leaves a stage.

The class docstring is the table's comment and each field's description the column's
comment in nsnet.duckdb. Every table is kept as Parquet; the database is a view of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandera.polars as pa
import polars as pl

METRICS = ("acc", "r_acc", "f_acc", "ap")
SPLITS = ("train", "validation", "test")
VIEWS = ("mosaic", "crop", "full")
CONDITIONS = CLEAN, HARMONISED = "clean", "harmonised"
FLOATS: dict[str, Any] = {"inner": pl.Float32()}
STRINGS: dict[str, Any] = {"inner": pl.String()}


class Table(pa.DataFrameModel):
    """Columns are exactly those named: a surplus or missing one is an error."""

    class Config:
        strict = True


class Images(Table):
    """One row per file found. images in = used + rejected; each picture (pixel_id) is used once."""

    path: str = pa.Field(unique=True, description="path below the corpus folder, / separated")
    image_id: str = pa.Field(nullable=True, description="sha256 of the file's bytes, hex; null if it could not be read")
    bytes: pl.Int64 = pa.Field(ge=0, description="file size in bytes")
    width: pl.Int32 = pa.Field(nullable=True, description="pixels; null if the file could not be decoded")
    height: pl.Int32 = pa.Field(nullable=True, description="pixels; null if the file could not be decoded")
    format: str = pa.Field(nullable=True, description="container as decoded: JPEG, PNG, WEBP, ...")
    mode: str = pa.Field(nullable=True, description="colour mode as stored, before conversion to RGB")
    jpeg_quality: pl.Int32 = pa.Field(
        nullable=True, ge=1, le=100, description="nearest IJG quality of the luma quantisation table; null if not JPEG"
    )
    has_exif: bool = pa.Field(nullable=True, description="the file holds EXIF data; null if it could not be opened")
    pixel_id: str = pa.Field(nullable=True, description="sha256 of shape and decoded RGB pixels, hex; null if rejected")
    phash: str = pa.Field(nullable=True, description="256-bit DCT hash, hex; null if rejected or flat")
    status: str = pa.Field(isin=["used", "rejected"], description="used, or rejected with a reason")
    reason: str = pa.Field(nullable=True, description="why it was rejected, or how it was converted")


class Samples(Table):
    """One image in one role. An image may have several: a training set can share files with another."""

    image_id: str = pa.Field(description="images.image_id")
    suite: str = pa.Field(description="benchmark or folder the sample belongs to")
    generator: str = pa.Field(description="what made the picture; for reals the real pool's name")
    family: str = pa.Field(description="kind of generator; real for reals")
    label: pl.Int8 = pa.Field(isin=[0, 1], description="0 real, 1 fake")
    split: str = pa.Field(isin=SPLITS, description="train, validation (settings are chosen here) or test")
    training_set: str = pa.Field(nullable=True, description="which training set a train or validation sample is in")
    real_pool: str = pa.Field(description="pool of reals that fakes of this generator are compared with")
    in_domain_for: pl.List = pa.Field(
        dtype_kwargs=STRINGS, description="training sets that hold this generator; empty for reals"
    )
    class_name: str = pa.Field(nullable=True, description="class folder, such as car; null if the layout has none")
    caption: str = pa.Field(nullable=True, description="content-only description, if the corpus brings one")
    caption_source: str = pa.Field(nullable=True, description="where the caption comes from")


class Duplicates(Table):
    """Two used files that show the same picture; within an exact group the first path is the original."""

    path: str = pa.Field(description="images.path of the later file")
    original: str = pa.Field(description="images.path of the first one, which counts")
    kind: str = pa.Field(isin=["bytes", "pixels", "near"], description="equal bytes, equal pixels, or a near hash")
    distance: pl.Int32 = pa.Field(ge=0, description="bits in which the perceptual hashes differ, of 256")
    across_suites: bool = pa.Field(description="the files belong to different suites")
    across_splits: bool = pa.Field(description="the files belong to different splits")
    across_labels: bool = pa.Field(description="one file is real and the other fake")


class BiasAudit(Table):
    """Per generator, what real and fake test files look like and whether that alone gives the label away."""

    suite: str = pa.Field(description="samples.suite")
    generator: str = pa.Field(description="samples.generator")
    family: str = pa.Field(description="samples.family")
    n_real: pl.Int32 = pa.Field(ge=0, description="real files")
    n_fake: pl.Int32 = pa.Field(ge=0, description="fake files")
    formats_real: str = pa.Field(description="containers of the reals with shares")
    formats_fake: str = pa.Field(description="containers of the fakes with shares")
    modes_real: str = pa.Field(description="colour modes of the reals with shares")
    modes_fake: str = pa.Field(description="colour modes of the fakes with shares")
    sizes_real: str = pa.Field(description="most frequent width x height of the reals with shares")
    sizes_fake: str = pa.Field(description="most frequent width x height of the fakes with shares")
    aspect_real: pl.Float64 = pa.Field(description="median width / height of the reals")
    aspect_fake: pl.Float64 = pa.Field(description="median width / height of the fakes")
    jpeg_quality_real: pl.Float64 = pa.Field(nullable=True, description="median JPEG quality of the reals")
    jpeg_quality_fake: pl.Float64 = pa.Field(nullable=True, description="median JPEG quality of the fakes")
    exif_real: pl.Float64 = pa.Field(ge=0, le=1, description="share of the reals with EXIF data")
    exif_fake: pl.Float64 = pa.Field(ge=0, le=1, description="share of the fakes with EXIF data")
    auc: pl.Float64 = pa.Field(
        nullable=True, ge=0, le=1, description="cross-validated AUC of a decision tree that sees file metadata only"
    )
    auc_low: pl.Float64 = pa.Field(ge=0, le=1, description="lower end of its 95 % interval (Hanley and McNeil)")
    auc_high: pl.Float64 = pa.Field(ge=0, le=1, description="upper end of its 95 % interval (Hanley and McNeil)")
    flagged: bool = pa.Field(description="the files alone give the label away (audit.flag_auc)")
    sentence: str = pa.Field(description="the finding in words")


class Captions(Table):
    """The caption of a training image that the semantic basis is computed from."""

    image_id: str = pa.Field(unique=True, description="images.image_id")
    caption: str = pa.Field(description="what the picture shows, in words")
    caption_source: str = pa.Field(description="scene, manifest, template, blip:MODEL, or the suite's own word")


class Features(Table):
    """Projected CLIP image feature per image, backbone, view and draw. Not L2-normalised."""

    image_id: str = pa.Field(description="images.image_id")
    backbone_id: str = pa.Field(description="hash of the backbone record")
    view: str = pa.Field(isin=VIEWS, description="mosaic (patch selection), crop (native size) or full (resized)")
    draw: pl.Int32 = pa.Field(ge=0, description="which shuffle of the mosaic; 0 for the other views")
    rule: str = pa.Field(description="native, or how an image too small for the view was treated: cyclic, upscaled")
    feature: pl.List = pa.Field(dtype_kwargs=FLOATS, description="joint-space image feature, float32, not normalised")


class Patches(Table):
    """Patches that Patch Selection put into the mosaic of an image (draw 0)."""

    image_id: str = pa.Field(description="images.image_id")
    backbone_id: str = pa.Field(description="hash of the backbone record, which holds patch size and grid")
    slot: pl.Int32 = pa.Field(ge=0, description="place in the mosaic, raster order")
    row: pl.Int32 = pa.Field(ge=0, description="patch row in the image, in patches")
    col: pl.Int32 = pa.Field(ge=0, description="patch column in the image, in patches")
    entropy: pl.Float64 = pa.Field(ge=0, description="spectral entropy in bits")


class SemanticSpectrum(Table):
    """Singular values of the caption features, all of them; retained ones span the semantic space."""

    k: pl.Int32 = pa.Field(unique=True, ge=0, description="index, largest singular value first")
    singular_value: pl.Float64 = pa.Field(ge=0, description="singular value of the n x d caption matrix")
    energy: pl.Float64 = pa.Field(ge=0, le=1 + 1e-9, description="cumulative share of the squared singular values")
    retained: bool = pa.Field(description="part of the semantic basis that the null space removes")


class SemanticBasis(Table):
    """Right singular vectors of the caption features, orthonormal, sign fixed."""

    k: pl.Int32 = pa.Field(unique=True, ge=0, description="semantic_spectrum.k")
    retained: bool = pa.Field(description="semantic direction (true) or null-space direction (false)")
    vector: pl.List = pa.Field(dtype_kwargs={"inner": pl.Float64()}, description="unit vector in the joint space")


class Runs(Table):
    """One training of one detector on one training set."""

    run_id: str = pa.Field(unique=True, description="hash of everything that determines the run")
    detector: str = pa.Field(description="name in params.yaml")
    training_set: str = pa.Field(description="samples.training_set it was trained on")
    condition: str = pa.Field(isin=CONDITIONS, description="clean, or harmonised: how its pictures were prepared")
    kind: str = pa.Field(isin=["linear", "cnn"], description="head on CLIP features, or network on pixels")
    view: str = pa.Field(isin=VIEWS, description="what the detector looks at")
    null_space: str = pa.Field(isin=["none", "text", "random"], description="directions projected out")
    contrastive: bool = pa.Field(description="trained with the contrastive loss as well as BCE")
    seed: pl.Int32 = pa.Field(description="training seed")
    params: str = pa.Field(description="resolved parameters, JSON")
    chosen: str = pa.Field(description="settings chosen on the validation split, JSON")
    validation_acc: pl.Float64 = pa.Field(ge=0, le=1, description="accuracy on the validation split at threshold 0.5")
    git_revision: str = pa.Field(description="commit that trained it; -dirty if code or params differed")
    data_checksum: str = pa.Field(description="hash of the samples table it was trained on")
    backbone_id: str = pa.Field(description="hash of the backbone record")
    backbone: str = pa.Field(description="backbone record, JSON")
    world: str = pa.Field(description="sentence: whose pictures and whose CLIP stand behind the run")
    device: str = pa.Field(description="cpu or cuda")


class Predictions(Table):
    """Score of one run for one image, prepared as the run's training pictures were."""

    run_id: str = pa.Field(description="runs.run_id")
    image_id: str = pa.Field(description="images.image_id")
    condition: str = pa.Field(isin=CONDITIONS, description="runs.condition")
    score: pl.Float64 = pa.Field(ge=0, le=1, description="probability of fake; at 0.5 or above called fake")


class Results(Table):
    """One metric of one run on one generator, with a stratified bootstrap interval."""

    run_id: str = pa.Field(description="runs.run_id")
    suite: str = pa.Field(description="samples.suite")
    generator: str = pa.Field(description="samples.generator")
    family: str = pa.Field(description="samples.family")
    in_domain: bool = pa.Field(description="the run's training set holds the generator")
    condition: str = pa.Field(description="predictions.condition")
    metric: str = pa.Field(isin=METRICS, description="acc, r_acc, f_acc at threshold 0.5, or ap")
    value: pl.Float64 = pa.Field(ge=0, le=1, description="the metric on all images")
    ci_low: pl.Float64 = pa.Field(ge=0, le=1, description="lower end of the 95 % interval")
    ci_high: pl.Float64 = pa.Field(ge=0, le=1, description="upper end of the 95 % interval")
    n_real: pl.Int32 = pa.Field(ge=1, description="reals in the pool")
    n_fake: pl.Int32 = pa.Field(ge=1, description="fakes of the generator")
    git_revision: str = pa.Field(description="commit that evaluated it")
    data_checksum: str = pa.Field(description="hash of the samples table it was tested on")
    backbone_id: str = pa.Field(description="runs.backbone_id")


class Means(Table):
    """Plain mean of a metric over a group of generators, and its paired difference to the baseline."""

    run_id: str = pa.Field(description="runs.run_id")
    suite: str = pa.Field(description="samples.suite, or a protocol over several suites")
    condition: str = pa.Field(description="predictions.condition")
    group: str = pa.Field(description="held-out, in-domain, or family:NAME (held-out generators of that family)")
    metric: str = pa.Field(isin=METRICS, description="as in results")
    n_generators: pl.Int32 = pa.Field(ge=1, description="generators in the group, equal weights")
    value: pl.Float64 = pa.Field(ge=0, le=1, description="mean over the group's generators")
    ci_low: pl.Float64 = pa.Field(ge=0, le=1, description="lower end of the 95 % interval")
    ci_high: pl.Float64 = pa.Field(ge=0, le=1, description="upper end of the 95 % interval")
    baseline: str = pa.Field(description="detector compared with, trained on the same training set")
    difference: pl.Float64 = pa.Field(description="value minus the baseline's, on the same images")
    difference_low: pl.Float64 = pa.Field(description="lower end of the paired 95 % interval")
    difference_high: pl.Float64 = pa.Field(description="upper end of the paired 95 % interval")


TABLES: dict[str, type[Table]] = {
    "images": Images,
    "samples": Samples,
    "duplicates": Duplicates,
    "bias_audit": BiasAudit,
    "captions": Captions,
    "features": Features,
    "patches": Patches,
    "semantic_spectrum": SemanticSpectrum,
    "semantic_basis": SemanticBasis,
    "runs": Runs,
    "predictions": Predictions,
    "results": Results,
    "means": Means,
}


def make(name: str, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Build a frame with the columns and types of table `name` from dicts; surplus keys are left out."""
    schema = {column: facts.dtype.type for column, facts in TABLES[name].to_schema().columns.items()}
    return pl.DataFrame([{column: row[column] for column in schema} for row in rows], schema=schema)


def fit(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Give a frame the columns and types of table `name`; surplus columns are left out."""
    return frame.select(pl.col(column).cast(dtype) for column, dtype in make(name, []).schema.items())


def check(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Validate an eager frame against table `name`, in column order.

    Raises:
        ValueError: every fault at once, with column, check and an example value.
    """
    model = TABLES[name]
    try:
        model.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        faults = error.failure_cases.select("column", "check", "failure_case").unique(maintain_order=True)
        lines = [f"  {column}: {rule}, e.g. {case}" for column, rule, case in faults.head(20).iter_rows()]
        raise ValueError(f"table {name} breaks its contract ({faults.height} faults):\n" + "\n".join(lines)) from error
    return frame.select(list(model.to_schema().columns))
