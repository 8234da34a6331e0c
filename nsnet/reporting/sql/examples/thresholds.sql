/* Thresholds chosen in SQL: the validation score of best balanced accuracy, and what it gives on the test split */
WITH labelled AS (
    SELECT DISTINCT p.run_id, p.split, p.condition, s.suite, s.generator, s.real_pool, s.label, p.image_id, p.score
    FROM predictions p
    JOIN runs r USING (run_id)
    JOIN samples s ON s.image_id = p.image_id AND s.split = p.split
                  AND (s.split = 'test' OR s.training_set = r.training_set)
    WHERE p."current" AND r."current"
), candidates AS (
    SELECT v.run_id, t.score AS threshold,
           (avg((v.score >= t.score)::INTEGER) FILTER (v.label = 1)
            + avg((v.score < t.score)::INTEGER) FILTER (v.label = 0)) / 2 AS acc
    FROM labelled v JOIN (SELECT DISTINCT run_id, score FROM labelled WHERE split = 'validation') t USING (run_id)
    WHERE v.split = 'validation'
    GROUP BY v.run_id, t.score
), chosen AS (
    SELECT run_id, arg_max(threshold, (acc, -abs(threshold - 0.5))) AS threshold, max(acc) AS validation_acc
    FROM candidates GROUP BY run_id
)
SELECT run_id, condition, validation_acc, threshold, avg((score >= threshold)::INTEGER) FILTER (label = 1) AS f_acc,
       avg((score < threshold)::INTEGER) FILTER (label = 0) AS r_acc
FROM labelled JOIN chosen USING (run_id)
WHERE split = 'test'
GROUP BY run_id, condition, validation_acc, threshold
ORDER BY run_id, condition
