-- R.Acc by source of the reals, mean over seeds, at 0.5 and at each run's chosen threshold: a detector may call all of one source fake, which R.Acc over all of them hides
WITH reals AS (
    SELECT DISTINCT image_id, suite, real_pool, label FROM samples WHERE split = 'test' AND label = 0
), by_run AS (
    SELECT r.training_set, r.train_condition, s.suite, p.condition, s.real_pool, r.detector, p.run_id,
           count(*)::INTEGER AS n_real, accuracy(label, score, 0.5) AS r_acc,
           accuracy(label, score, threshold) AS r_acc_validation
    FROM predictions p
    JOIN runs r USING (run_id)
    JOIN reals s USING (image_id)
    WHERE p."current" AND r."current" AND p.split = 'test'
    GROUP BY ALL
)
SELECT training_set, train_condition, suite, condition, real_pool, detector, any_value(n_real) AS n_real,
       count(*)::INTEGER AS n_seeds, avg(r_acc) AS r_acc, avg(r_acc_validation) AS r_acc_validation
FROM by_run
GROUP BY training_set, train_condition, suite, condition, real_pool, detector
ORDER BY suite, training_set, train_condition, condition, real_pool, detector
