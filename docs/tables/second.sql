PIVOT (
    SELECT CASE training_set WHEN 'biased' THEN 'full bias' ELSE 'no bias' END AS trained, "view", null_space,
           within(acc, acc_low, acc_high) AS cell
    FROM 'second/tables/controls.csv'
)
ON null_space IN ('none', 'random', 'cross-modal')
USING any_value(cell)
GROUP BY trained, "view"
ORDER BY trained, "view"
