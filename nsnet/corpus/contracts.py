"""The tables of the raw corpora and their audit."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import STRINGS, Table, contract

SPLITS = ("train", "validation", "test", "semantics")


@contract("images", stage="corpus")
class Images(Table):
    """One row per file found. images in = used + rejected; each picture (pixel_id) is used once."""

    path: str = pa.Field(unique=True, description="path below the corpus folder, / separated")
    image_id: str = pa.Field(nullable=True, description="sha256 of the file's bytes, hex; null if it was not read")
    bytes: pl.Int64 = pa.Field(ge=0, description="file size in bytes")
    width: pl.Int32 = pa.Field(nullable=True, description="pixels; null if the file could not be opened")
    height: pl.Int32 = pa.Field(nullable=True, description="pixels; null if the file could not be opened")
    format: str = pa.Field(nullable=True, description="container as decoded: JPEG, PNG, WEBP, ...")
    mode: str = pa.Field(nullable=True, description="colour mode as stored, before conversion to RGB")
    jpeg_quality: pl.Int32 = pa.Field(
        nullable=True, ge=1, le=100, description="nearest IJG quality of the luma quantisation table; null if not JPEG"
    )
    has_exif: bool = pa.Field(nullable=True, description="the file holds EXIF data; null if it could not be opened")
    pixel_id: str = pa.Field(nullable=True, description="sha256 of shape and decoded RGB pixels, hex; null if rejected")
    phash: str = pa.Field(nullable=True, description="256-bit DCT hash, hex; null if rejected or flat")
    status: str = pa.Field(isin=["used", "rejected"], description="used, or rejected with a reason")
    reason: str = pa.Field(nullable=True, description="why it was rejected, or what was done to it or is odd about it")


@contract("samples", stage="corpus")
class Samples(Table):
    """One image in one role. An image may have several: a training set can share files with another."""

    image_id: str = pa.Field(description="images.image_id")
    suite: str = pa.Field(description="benchmark or folder the sample belongs to")
    generator: str = pa.Field(description="what made the picture; for reals the real pool's name")
    family: str = pa.Field(description="kind of generator; real for reals")
    label: pl.Int8 = pa.Field(isin=[0, 1], description="0 real, 1 fake")
    split: str = pa.Field(
        isin=SPLITS, description="train, validation (settings are chosen here), test, or semantics: the caption pool"
    )
    training_set: str = pa.Field(nullable=True, description="which training set a train or validation sample is in")
    real_pool: str = pa.Field(description="pool of reals that fakes of this generator are compared with")
    in_domain_for: pl.List = pa.Field(
        dtype_kwargs=STRINGS,
        description="training sets that hold this generator; empty for reals, and a set that is drawn is not named",
    )
    class_name: str = pa.Field(nullable=True, description="class folder, such as car; null if the layout has none")
    caption: str = pa.Field(nullable=True, description="content-only description, if the corpus brings one")
    caption_source: str = pa.Field(nullable=True, description="where the caption comes from")
    source: str = pa.Field(
        nullable=True, description="of a real: collection or camera within its pool; null for fakes, or if unknown"
    )
    cluster: str = pa.Field(
        nullable=True, description="pictures of one cluster, such as of one prompt, are not independent; null: each is"
    )
    draw: pl.Int32 = pa.Field(
        nullable=True,
        description="of a training set of corpus.protocols which draw; seed s trains on draw s modulo their number",
    )


@contract("duplicates", stage="corpus")
class Duplicates(Table):
    """Two used files that show one picture, or may, if not confirmed; of equal ones the first path is the original."""

    path: str = pa.Field(description="images.path of the later file")
    original: str = pa.Field(description="images.path of the first one, which counts")
    kind: str = pa.Field(isin=["bytes", "pixels", "near"], description="equal bytes, equal pixels, or a near hash")
    distance: pl.Int32 = pa.Field(ge=0, description="bits in which the perceptual hashes differ, of 256")
    similarity: pl.Float64 = pa.Field(
        nullable=True, ge=-1, le=1 + 1e-9, description="correlation of the thumbnails' detail; null if one has none"
    )
    confirmed: bool = pa.Field(description="the same picture: equal, or hash and detail are both near")
    across_suites: bool = pa.Field(description="the files belong to different suites")
    across_splits: bool = pa.Field(description="the files belong to different splits")
    across_labels: bool = pa.Field(description="one file is real and the other fake")


@contract("bias_audit", stage="audit")
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
