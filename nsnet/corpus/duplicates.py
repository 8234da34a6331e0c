"""One image counts once: equal bytes, equal pixels and near duplicates, and what leaks from training to test."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import polars as pl
from jaxtyping import Int

from nsnet.core.names import unknown
from nsnet.core.parquet import query

# Two pieces of evidence. First, of 256 bits of the perceptual hash, which sees the coarse half of a picture: of 1,187
# real pictures, copies saved as JPEG 50 or 90, halved or doubled differ in at most 22, and of the 649,230 pairs of
# different ones the nearest in 50; elsewhere two pictures of one prompt were found 16 apart. So a near hash is only
# a candidate.
NEAR = 23
# Second, correlation of what 32 x 32 thumbnails show beyond that: of the same pictures, copies correlate by 0.970 at
# least, different ones, whatever their hashes, by 0.760 at most.
SAME_DETAIL = 0.9
# Without as much (standard deviation in grey levels), rounding is all there is to correlate; the 1,187 have 5 or more.
LEAST_DETAIL = 1.0
BLOCK = 4

_EXACT = """
    SELECT path, original, CASE WHEN image_id = original_id THEN 'bytes' ELSE 'pixels' END AS kind, 0 AS distance
    FROM (SELECT path, image_id, first_value(path) OVER same AS original, first_value(image_id) OVER same AS original_id
          FROM images WHERE status = 'used' WINDOW same AS (PARTITION BY pixel_id ORDER BY path))
    WHERE path != original
"""
_WORDS = range(4)  # a hash as numbers of 64 bits
_WORD = ", ".join(f"('0x' || substr(phash, {16 * word + 1}, 16))::UBIGINT AS w{word}" for word in _WORDS)
_DISTANCE = "(" + " + ".join(f"bit_count(xor(a.w{word}, b.w{word}))::INTEGER" for word in _WORDS) + ")"
_PICTURES = f"""
    SELECT row_number() OVER (ORDER BY path) AS place, path, {_WORD}
    FROM (SELECT min(path) AS path, min(phash) AS phash FROM images
          WHERE status = 'used' AND phash IS NOT NULL GROUP BY pixel_id)
"""
_BAND = f"""
    SELECT a.place AS original, b.place AS place, {_DISTANCE} AS distance
    FROM (SELECT *, xor((w{{word}} >> {{shift}}) & {{mask}}, flip) AS band
          FROM pictures, (SELECT unnest({{flips}})::UBIGINT AS flip)) a
    JOIN pictures b ON a.band = (b.w{{word}} >> {{shift}}) & {{mask}}
    WHERE a.place < b.place AND {_DISTANCE} <= {NEAR}
"""
# Of twelve bands, two hashes that differ in at most 23 bits have one that differs in at most one bit: none is missed.
_BANDS = [
    _BAND.format(word=word, shift=shift, mask=2**width - 1, flips=[0, *(2**bit for bit in range(width))])
    for word in _WORDS
    for shift, width in ((0, 21), (21, 21), (42, 22))
]
_NAMED = """
    SELECT b.path, a.path AS original, 'near' AS kind, distance
    FROM near JOIN pictures a ON a.place = near.original JOIN pictures b ON b.place = near.place
"""


def find_duplicates(images: pl.DataFrame, thumbs: Callable[[list[str]], pl.DataFrame]) -> pl.DataFrame:
    """Pairs of used files that show, or may show, the same picture.

    Of a group with equal pixels the first path is the original of all others. Near pairs are
    between originals, the later path first: their hashes differ in at most NEAR bits, and they
    are confirmed if their detail correlates by SAME_DETAIL or more.

    Args:
        images: the table images.
        thumbs: from paths to columns path and thumb, as `nsnet.corpus.traits` makes them; asked
            for the candidates alone.

    Returns:
        Columns path, original, kind (bytes, pixels, near), distance in bits, similarity (null
        where a picture has no detail to compare) and confirmed.
    """
    pictures = query(_PICTURES, images=images)
    # Band by band, and measured as the join finds them: neither all bands nor all candidates are ever held at once.
    places = pl.concat([query(band, pictures=pictures) for band in _BANDS]).unique()
    near = query(_NAMED, pictures=pictures, near=places)
    pairs = pl.concat([query(_EXACT, images=images), near]).sort("path", "original")
    details = {path: detail(thumb) for path, thumb in thumbs(sorted({*near["path"], *near["original"]})).iter_rows()}
    exact = pl.col("kind") != "near"
    likeness = [
        similarity(details[path], details[original]) if kind == "near" else 1.0
        for path, original, kind in pairs.select("path", "original", "kind").iter_rows()
    ]
    return pairs.with_columns(
        pl.col("distance").cast(pl.Int32), similarity=pl.Series(likeness, dtype=pl.Float64)
    ).with_columns(confirmed=exact | (pl.col("similarity") >= SAME_DETAIL).fill_null(False))


def detail(thumb: bytes) -> Int[np.ndarray, "side side"]:
    """What a grey thumbnail shows within blocks of BLOCK x BLOCK, times BLOCK^2: whole numbers, the same everywhere."""
    side = math.isqrt(len(thumb))
    blocks = np.frombuffer(thumb, np.uint8).astype(np.int64).reshape(side // BLOCK, BLOCK, side // BLOCK, BLOCK)
    return (BLOCK**2 * blocks - blocks.sum((1, 3), keepdims=True)).reshape(side, side)


def similarity(one: Int[np.ndarray, "side side"], two: Int[np.ndarray, "side side"]) -> float | None:
    """Correlation of two details, -1..1; None if one has less than LEAST_DETAIL.

    Args:
        one, two: from `detail`, of one shape.

    Returns:
        The correlation, or None.
    """
    powers = int((one**2).sum()), int((two**2).sum())
    if min(powers) < one.size * (LEAST_DETAIL * BLOCK**2) ** 2:
        return None
    return int((one * two).sum()) / math.sqrt(powers[0] * powers[1])


def count_once(images: pl.DataFrame, duplicates: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Reject exact duplicates, and say which image each usable path stands for.

    Args:
        images: the table images.
        duplicates: as `find_duplicates`.

    Returns:
        The table images; and path to image_id, of every path that is or was used.
    """
    exact = duplicates.filter(pl.col("kind") != "near").select("path", "original", "kind")
    joined = images.join(exact, on="path", how="left")
    reason = pl.format("duplicate of {} (same {})", "original", "kind")
    ids = joined.filter(status="used").join(
        images.select(original="path", original_id="image_id"), on="original", how="left"
    )
    stands_for = dict(ids.select("path", pl.coalesce("original_id", "image_id")).iter_rows())
    repeated = pl.col("original").is_not_null()
    marked = joined.with_columns(
        status=pl.when(repeated).then(pl.lit("rejected")).otherwise("status"),
        reason=pl.when(repeated).then(reason).otherwise("reason"),
    )
    return marked.drop("original", "kind"), stands_for


def with_scopes(duplicates: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Say of each pair whether it crosses suites, splits or labels.

    Args:
        duplicates: as `find_duplicates`.
        places: columns path, suite, split and label, a row for each role.

    Returns:
        The pairs by path and original, with columns across_suites, across_splits and across_labels; false for
        files without a role.
    """
    sql = """
        SELECT d.path, d.original, d.kind, d.distance, d.similarity, d.confirmed,
               coalesce(bool_or(a.suite != b.suite), false) AS across_suites,
               coalesce(bool_or(a.split != b.split), false) AS across_splits,
               coalesce(bool_or(a.label != b.label), false) AS across_labels
        FROM duplicates d LEFT JOIN places a ON a.path = d.path LEFT JOIN places b ON b.path = d.original
        GROUP BY ALL ORDER BY d.path, d.original
    """
    return query(sql, duplicates=duplicates, places=places)


def refuse_leaks(samples: pl.DataFrame, images: pl.DataFrame, duplicates: pl.DataFrame, allowed: list[str]) -> None:
    """Stop if test pictures were trained on, or validation ones in their own set, or one picture has both labels.

    Of near pairs, only confirmed ones count. Drawn training sets may hold test pictures: their detectors are judged
    neither on pictures that they were trained on nor on others of their generators.

    Args:
        samples, images: the tables.
        duplicates: as `find_duplicates`.
        allowed: generators or real pools, as suite/name, whose pictures may be seen in training.
            Nothing allows both labels at once.

    Raises:
        ValueError: every test generator with such pictures, how many and which, or an
            unknown name in `allowed`.
    """
    known = samples.select(name=pl.format("{}/{}", "suite", "generator")).unique()["name"].to_list()
    for name in allowed:
        if name not in known:
            raise unknown("name in corpus.allow_leakage", name, known)
    sql = """
        WITH ids AS (SELECT path, image_id FROM images WHERE status = 'used'),
        pairs AS (
            SELECT DISTINCT image_id AS one, image_id AS two, 'equal' AS kind FROM samples
            UNION ALL
            SELECT a.image_id, b.image_id, 'near' FROM duplicates d JOIN ids a USING (path)
                JOIN ids b ON b.path = d.original WHERE d.kind = 'near' AND d.confirmed
            UNION ALL
            SELECT b.image_id, a.image_id, 'near' FROM duplicates d JOIN ids a USING (path)
                JOIN ids b ON b.path = d.original WHERE d.kind = 'near' AND d.confirmed
        ), clashes AS (
            SELECT tested.suite || '/' || tested.generator AS name,
                   unnest([
                       CASE WHEN seen.split = 'semantics' AND tested.split != 'semantics'
                            THEN kind || ' to a picture of the caption pool'
                            WHEN seen.split != 'test' AND tested.split = 'test' AND NOT (
                                 seen.draw IS NOT NULL
                                 AND (kind = 'equal' OR tested.label = 1 AND tested.generator = seen.generator))
                            THEN kind || ' to a training picture'
                            WHEN kind = 'equal' AND seen.split = 'train' AND tested.split = 'validation'
                                 AND seen.training_set = tested.training_set
                                 AND seen.draw IS NOT DISTINCT FROM tested.draw THEN 'in train and validation' END,
                       CASE WHEN kind = 'equal' AND tested.label = 1 AND seen.label = 0
                            THEN 'real and fake at once' END
                   ]) AS fault, tested.image_id
            FROM pairs JOIN samples tested ON tested.image_id = one JOIN samples seen ON seen.image_id = two
        )
        SELECT name, fault, count(DISTINCT c.image_id) AS pictures, min(ids.path) AS example
        FROM clashes c JOIN ids USING (image_id) WHERE fault IS NOT NULL GROUP BY ALL ORDER BY name, fault
    """
    leaks = query(sql, samples=samples, images=images, duplicates=duplicates)
    faults = leaks.filter(~pl.col("name").is_in(allowed) | (pl.col("fault") == "real and fake at once"))
    if faults.height:
        lines = [f"  {name}: {count} {fault}, e.g. {example}" for name, fault, count, example in faults.iter_rows()]
        raise ValueError(
            f"{faults.height} kind(s) of leakage:\n"
            + "\n".join(lines)
            + "\nRemove these pictures, or name what may leak in corpus.allow_leakage (suite/name);"
            " nothing may be real and fake at once"
        )
