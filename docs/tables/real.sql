PIVOT (
    SELECT detector, training_set, within(auroc, auroc_low, auroc_high) AS cell
    FROM 'real/tables/protocols.csv'
    WHERE suite = 'sd-samples' AND condition = 'harmonised' AND train_condition = 'harmonised'
)
ON training_set IN ('one', 'two', 'six', 'six-biased', 'family-left-out', 'older')
USING any_value(cell)
GROUP BY detector
ORDER BY detector
