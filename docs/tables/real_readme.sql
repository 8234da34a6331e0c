SELECT detector, n_generators AS generators, n_real AS reals, n_fake_per_generator AS "fakes of each",
       within(auroc, auroc_low, auroc_high) AS AUROC, ends(auroc_population_low, auroc_population_high) AS "another generator",
       within(acc, acc_low, acc_high) AS acc
FROM 'real/tables/protocols.csv'
WHERE suite = 'sd-samples' AND training_set = 'six' AND condition = 'harmonised' AND train_condition = 'harmonised'
  AND detector IN ('univfd', 'univfd+cross-modal', 'univfd+random-directions', 'univfd+mosaic')
ORDER BY auroc DESC, detector
