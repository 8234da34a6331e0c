SELECT detector, within(acc, acc_low, acc_high) AS acc, ends(acc_population_low, acc_population_high) AS "another generator",
       ap AS AP, auroc AS AUROC, acc_validation AS "acc, chosen threshold",
       within(acc_difference, acc_difference_low, acc_difference_high) AS "acc - univfd"
FROM 'tables/leaderboard_biased.csv'
