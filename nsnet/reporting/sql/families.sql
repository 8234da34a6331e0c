-- Mean over seeds and the held-out generators of a family; another generator of the family from three on
SELECT training_set, train_condition, suite, condition, detector, "group"[8:] AS family, n_generators, n_seeds,
       acc, acc_low, acc_high, acc_population_low, acc_population_high, ap, ap_low, ap_high, ap_population_low,
       ap_population_high
FROM scoreboard WHERE starts_with("group", 'family:')
ORDER BY suite, training_set, train_condition, condition, detector, family
