WITH rows AS (
    SELECT "view", null_space, training_set, suite, within(auroc, auroc_low, auroc_high) AS auroc, within(acc, acc_low, acc_high) AS acc
    FROM 'real/tables/protocols.csv'
    WHERE condition = 'harmonised' AND train_condition = 'harmonised' AND training_set IN ('six', 'six-biased'))
SELECT CASE training_set WHEN 'six' THEN 'no' ELSE 'yes' END AS "planted bias", "view", null_space AS "null space",
       any_value(auroc) FILTER (suite = 'sd-samples-paired') AS "AUROC, as trained",
       any_value(auroc) FILTER (suite = 'sd-samples-swapped') AS "AUROC, swapped",
       any_value(acc) FILTER (suite = 'sd-samples-paired') AS "acc, as trained",
       any_value(acc) FILTER (suite = 'sd-samples-swapped') AS "acc, swapped"
FROM rows
GROUP BY training_set, "view", null_space
ORDER BY training_set DESC, "view", null_space
