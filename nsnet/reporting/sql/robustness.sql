-- Held-out figures under each condition, what it costs the same runs (delivered) and what training on it gains (matched), paired
WITH shifts AS (
    SELECT training_set, train_condition, suite, condition, detector, comparison,
           max(difference) FILTER (metric = 'acc') AS acc,
           max(ci_low) FILTER (metric = 'acc') AS acc_low,
           max(ci_high) FILTER (metric = 'acc') AS acc_high,
           max(difference) FILTER (metric = 'auroc') AS auroc,
           max(ci_low) FILTER (metric = 'auroc') AS auroc_low,
           max(ci_high) FILTER (metric = 'auroc') AS auroc_high
    FROM condition_shifts
    WHERE "group" = 'held-out'
    GROUP BY ALL
)
SELECT l.suite, l.training_set, l.detector, l.train_condition, l.condition, l.n_generators, l.n_seeds,
       l.acc, l.acc_low, l.acc_high, l.acc_population_low, l.acc_population_high,
       d.acc AS acc_delivered, d.acc_low AS acc_delivered_low, d.acc_high AS acc_delivered_high,
       m.acc AS acc_matched, m.acc_low AS acc_matched_low, m.acc_high AS acc_matched_high,
       l.auroc, l.auroc_low, l.auroc_high, l.auroc_population_low, l.auroc_population_high,
       d.auroc AS auroc_delivered, d.auroc_low AS auroc_delivered_low, d.auroc_high AS auroc_delivered_high,
       m.auroc AS auroc_matched, m.auroc_low AS auroc_matched_low, m.auroc_high AS auroc_matched_high,
       l.acc_validation, l.acc_validation_low, l.acc_validation_high
FROM leaderboard l
LEFT JOIN shifts d
    ON (d.training_set, d.train_condition, d.suite, d.condition, d.detector, d.comparison)
     = (l.training_set, l.train_condition, l.suite, l.condition, l.detector, 'delivered')
LEFT JOIN shifts m
    ON (m.training_set, m.train_condition, m.suite, m.condition, m.detector, m.comparison)
     = (l.training_set, l.train_condition, l.suite, l.condition, l.detector, 'matched')
LEFT JOIN settings c ON c.key = 'conditions'
-- Trained on pictures as they are, or on what is shown.
WHERE l.train_condition IN ('clean', l.condition)
ORDER BY l.suite, l.training_set, list_position(c.value::JSON::VARCHAR[], l.condition), l.train_condition != 'clean', l.acc DESC, l.detector
