SELECT detector, n_seeds AS draws, n_generators AS generators, n_real AS reals, n_fake_per_generator AS "fakes of each",
       n_clusters AS prompts, within(auroc, auroc_low, auroc_high) AS AUROC,
       ends(auroc_population_low, auroc_population_high) AS "another generator", within(acc, acc_low, acc_high) AS acc,
       number(r_acc) AS "R.Acc", number(f_acc) AS "F.Acc"
FROM 'real/tables/protocols.csv'
WHERE suite = 'sd-samples' AND training_set = 'six' AND condition = 'harmonised' AND train_condition = 'harmonised'
ORDER BY auroc DESC, detector
