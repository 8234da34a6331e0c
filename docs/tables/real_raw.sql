SELECT detector, train_condition AS "trained on",
       any_value(within(auroc, auroc_low, auroc_high)) FILTER (condition = 'clean') AS "AUROC, raw",
       any_value(within(auroc, auroc_low, auroc_high)) FILTER (condition = 'harmonised') AS "AUROC, harmonised",
       any_value(within(acc, acc_low, acc_high)) FILTER (condition = 'clean') AS "acc, raw",
       any_value(within(acc, acc_low, acc_high)) FILTER (condition = 'harmonised') AS "acc, harmonised"
FROM 'real/tables/protocols.csv'
WHERE suite = 'sd-samples' AND training_set = 'six' AND detector IN ('univfd', 'univfd+mosaic')
GROUP BY detector, train_condition
ORDER BY detector, train_condition
