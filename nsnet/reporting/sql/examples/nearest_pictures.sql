/* Test pictures whose feature lies nearest to that of a given one, by the angle between them, with their files.
   Another picture: put its path below. */
WITH given AS (
    SELECT f.image_id, f.feature
    FROM features f JOIN images i USING (image_id)
    WHERE f.condition = 'clean' AND f."view" = 'crop' AND f.draw = 0 AND i.status = 'used'
      AND i.path = (SELECT min(path) FROM images JOIN samples USING (image_id) WHERE split = 'test' AND status = 'used')
)
SELECT i.path, s.generator, round(array_cosine_distance(f.feature, given.feature), 4) AS distance
FROM features f
JOIN images i ON i.image_id = f.image_id AND i.status = 'used'
JOIN (SELECT DISTINCT image_id, generator FROM samples WHERE split = 'test') s ON s.image_id = f.image_id, given
WHERE f.condition = 'clean' AND f."view" = 'crop' AND f.draw = 0
ORDER BY distance, i.path
LIMIT 6
