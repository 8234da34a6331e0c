-- Test pictures called wrong at 0.5 by the mean score over seeds, with their files; rank 1 is the most confident mistake of a detector on reals (label 0) or fakes (1)
WITH pictures AS (
    -- A picture that several suites share is one mistake.
    SELECT DISTINCT ON (image_id) image_id, suite, generator, label
    FROM samples WHERE split = 'test'
    ORDER BY image_id, suite, generator
), scored AS (
    SELECT r.training_set, r.train_condition, p.condition, r.detector, p.image_id, avg(p.score) AS score,
           count(*)::INTEGER AS n_seeds
    FROM predictions p
    JOIN runs r USING (run_id)
    WHERE p."current" AND r."current" AND p.split = 'test'
    GROUP BY ALL
)
SELECT training_set, train_condition, suite, condition, detector, label, generator, score, n_seeds,
       (row_number() OVER (PARTITION BY training_set, train_condition, condition, detector, label
                           ORDER BY abs(score - 0.5) DESC, path))::INTEGER AS rank,
       path, image_id
FROM scored
JOIN pictures USING (image_id)
JOIN (SELECT image_id, path FROM images WHERE status = 'used') USING (image_id)
WHERE (score >= 0.5) != (label = 1)
ORDER BY training_set, train_condition, condition, detector, label, rank
