-- Does the projection help because it removes semantics? Linear heads without adapter and contrastive loss, held-out
SELECT suite, condition, training_set, train_condition, "view", null_space, detector, n_generators, n_seeds,
       acc, acc_low, acc_high, acc_population_low, acc_population_high, ap, ap_low, ap_high, ap_population_low,
       ap_population_high
FROM plug_and_play
WHERE kind = 'linear'
ORDER BY suite, condition, training_set, train_condition, "view", null_space, detector
