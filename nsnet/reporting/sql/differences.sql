-- Detector minus reference, paired, every two detectors of one training set; differs: the interval leaves zero out
SELECT training_set, train_condition, suite, condition, "group", metric, detector, reference, n_generators,
       difference, ci_low AS difference_low, ci_high AS difference_high,
       population_low AS difference_population_low, population_high AS difference_population_high,
       ci_low > 0 OR ci_high < 0 AS differs, population_low > 0 OR population_high < 0 AS differs_elsewhere
FROM paired_differences
ORDER BY suite, training_set, train_condition, condition, "group", metric, detector, reference
