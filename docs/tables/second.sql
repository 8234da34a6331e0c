SELECT CASE "view" WHEN 'mosaic' THEN 'yes, all patches out of order' ELSE '' END AS "patch selection",
       CASE training_set WHEN 'biased' THEN 'full bias' ELSE 'no bias' END AS trained,
       any_value(within(acc, acc_low, acc_high)) FILTER (null_space = 'none') AS none,
       any_value(within(acc, acc_low, acc_high)) FILTER (null_space = 'random') AS random,
       any_value(within(acc, acc_low, acc_high)) FILTER (null_space = 'cross-modal') AS "cross-modal"
FROM 'second/tables/controls.csv'
GROUP BY "view", training_set
ORDER BY training_set, "view"
