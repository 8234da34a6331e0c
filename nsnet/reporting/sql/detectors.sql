-- Detectors as they were trained: one row for each training set and training condition, over its current seeds
SELECT training_set, train_condition, detector, any_value(kind) AS kind, any_value("view") AS "view",
       any_value(null_space) AS null_space, any_value(adapter) AS adapter, any_value(contrastive) AS contrastive,
       count(*)::INTEGER AS n_seeds, list(seed ORDER BY seed) AS seeds, avg(validation_acc) AS validation_acc,
       any_value(origin) AS origin,
       -- An external detector stands beside training sets that it was not trained on, unless the user says that it was.
       bool_and(kind <> 'external' OR json_array_length(params, '$.training_sets') > 0) AS trained_on_it,
       -- Of a backbone that moves: nothing differs from the defaults but view, null space and contrastive loss.
       bool_and(coalesce(params->>'$.upkeep', 'fixed') = 'fixed' AND coalesce(params->>'$.select', 'last') = 'last'
                AND params->>'$.layers' IS NULL) AS plain
FROM runs WHERE "current"
GROUP BY training_set, train_condition, detector
ORDER BY training_set, train_condition, detector
