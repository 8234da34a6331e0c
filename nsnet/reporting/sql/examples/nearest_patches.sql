/* Patches whose feature lies nearest to a given one once the captions' directions are projected out
   (squared distance in the null space: what is left of it when the part within the semantic basis is taken off).
   128 is the width of the lab's features. */
WITH given AS (
    SELECT feature FROM patches
    WHERE condition = 'clean' AND feature IS NOT NULL
    ORDER BY image_id, slot LIMIT 1
), basis AS (
    SELECT vector::FLOAT[128] AS direction, array_inner_product(vector::FLOAT[128], feature) AS along
    FROM semantic_basis, given
    WHERE training_set = (SELECT min(training_set) FROM semantic_basis) AND retained
), removed AS (
    SELECT p.rowid AS place, sum((array_inner_product(p.feature, direction) - along) ** 2) AS within
    FROM patches p, basis
    WHERE p.condition = 'clean' AND p.feature IS NOT NULL
    GROUP BY p.rowid
)
SELECT p.image_id, p.slot, p.row, p.col, round(p.entropy, 2) AS entropy,
       round(sqrt(greatest(0, array_distance(p.feature, given.feature) ** 2 - within)), 4) AS distance
FROM patches p JOIN removed ON removed.place = p.rowid, given
ORDER BY distance, p.image_id, p.slot
LIMIT 6
