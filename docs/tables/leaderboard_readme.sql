SELECT detector, n_generators AS generators, within(acc, acc_low, acc_high) AS acc,
       ends(acc_population_low, acc_population_high) AS "another generator", auroc AS AUROC,
       within(acc_difference, acc_difference_low, acc_difference_high) AS "acc - univfd"
FROM 'tables/leaderboard_biased.csv'
WHERE detector IN ('cnn-control', 'nsnet-cross-modal', 'univfd+cross-modal', 'nsnet-without-contrastive',
                   'univfd+null-space', 'nsnet', 'univfd+random-directions', 'univfd')
