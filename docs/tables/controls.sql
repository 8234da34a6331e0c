PIVOT (
    SELECT training_set AS "training set", "view", null_space, within(acc, acc_low, acc_high) AS cell
    FROM 'tables/controls.csv'
)
ON null_space IN ('none', 'random', 'text', 'image-pca', 'leace', 'cross-modal')
USING any_value(cell)
GROUP BY "training set", "view"
ORDER BY "training set", "view"
