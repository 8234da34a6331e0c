-- Held-out means by what training pictures and what test pictures were put through
SELECT suite, training_set, detector, train_condition, condition AS test_condition, n_generators, n_seeds,
       acc, acc_low, acc_high, acc_population_low, acc_population_high, ap, ap_low, ap_high, ap_population_low,
       ap_population_high, acc_validation, acc_validation_low, acc_validation_high
FROM leaderboard
ORDER BY suite, training_set, detector, train_condition, test_condition
