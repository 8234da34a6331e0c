-- Every training set beside the others: held-out acc and AUROC, with both intervals and n; of sets that are drawn several times seeds are draws
WITH counts AS (
    SELECT training_set, train_condition, suite, condition, detector, max(n_real) AS n_real, max(n_fake) AS n_fake
    FROM results JOIN runs USING (run_id)
    WHERE results."current" AND runs."current" AND metric = 'auroc' AND NOT in_domain
    GROUP BY ALL
), units AS (
    SELECT training_set, train_condition, suite, condition, detector, n_clusters
    FROM means WHERE "group" = 'held-out' AND metric = 'auroc'
)
SELECT suite, condition, train_condition, kind, "view", null_space, detector, training_set, n_seeds, n_generators,
       n_real, n_fake AS n_fake_per_generator, n_clusters,
       acc, acc_low, acc_high, acc_population_low, acc_population_high,
       auroc, auroc_low, auroc_high, auroc_population_low, auroc_population_high,
       acc_validation, acc_validation_low, acc_validation_high, r_acc, f_acc, plain_acc, plain_ap
FROM leaderboard
JOIN units USING (training_set, train_condition, suite, condition, detector)
-- Of a protocol over several suites, results have no rows.
LEFT JOIN counts USING (training_set, train_condition, suite, condition, detector)
ORDER BY suite, condition, train_condition, kind, "view", null_space, detector, training_set
