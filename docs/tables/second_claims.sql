WITH claims(place, training_set, detector, reference, words) AS (VALUES
    (1, 'biased', 'univfd+cross-modal', 'univfd', 'the cross-modal null space, on crops'),
    (2, 'biased', 'univfd+random-directions', 'univfd', '... as many random directions'),
    (3, 'biased', 'univfd+mosaic+cross-modal', 'univfd+mosaic', '... on mosaics'),
    (4, 'biased', 'univfd+mosaic+random-directions', 'univfd+mosaic', '... as many random directions'),
    (5, 'biased', 'univfd+mosaic', 'univfd', 'patches out of order, without a null space'),
    (6, 'unbiased', 'univfd+cross-modal', 'univfd', 'the cross-modal null space without bias, on crops'),
    (7, 'unbiased', 'univfd+mosaic+cross-modal', 'univfd+mosaic', '... on mosaics')),
differences AS (
    SELECT 'biased' AS training_set, * FROM 'second/tables/differences_biased.csv'
    UNION ALL SELECT 'unbiased', * FROM 'second/tables/differences_unbiased.csv')
SELECT CASE training_set WHEN 'biased' THEN 'full bias' ELSE 'no bias' END AS trained, detector, reference AS minus,
       within(difference, difference_low, difference_high) AS acc,
       ends(difference_population_low, difference_population_high) AS "another generator", words AS "what differs"
FROM claims LEFT JOIN differences USING (training_set, detector, reference)
WHERE "group" = 'held-out' AND metric = 'acc'
ORDER BY place
