-- Every training set beside the others: held-out acc and AUROC, with both intervals; of sets that are drawn several times seeds are draws
SELECT suite, condition, train_condition, kind, "view", null_space, detector, training_set, n_seeds, n_generators,
       acc, acc_low, acc_high, acc_population_low, acc_population_high,
       auroc, auroc_low, auroc_high, auroc_population_low, auroc_population_high,
       acc_validation, acc_validation_low, acc_validation_high, r_acc, f_acc, plain_acc, plain_ap
FROM leaderboard
ORDER BY suite, condition, train_condition, kind, "view", null_space, detector, training_set
