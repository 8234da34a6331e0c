-- What carries the parts: each kind of detector with and without null space and patch selection, alone; held-out
SELECT suite, condition, training_set, train_condition, kind, "view", null_space, detector, n_generators,
       leaderboard.n_seeds, acc, acc_low, acc_high, acc_population_low, acc_population_high, ap, ap_low, ap_high,
       ap_population_low, ap_population_high, auroc, auroc_low, auroc_high
FROM leaderboard
JOIN detectors USING (training_set, train_condition, detector, kind, "view", null_space, adapter, contrastive)
WHERE NOT adapter AND NOT contrastive AND plain AND kind <> 'external'
ORDER BY suite, condition, training_set, train_condition, kind, "view", null_space, detector
