WITH claims(place, training_set, suite, detector, reference, words) AS (VALUES
    (1, 'six-biased', 'sd-samples-swapped', 'univfd+cross-modal', 'univfd', 'cross-modal, crops, swapped'),
    (2, 'six-biased', 'sd-samples-swapped', 'univfd+random-directions', 'univfd', '... as many random directions'),
    (3, 'six-biased', 'sd-samples-swapped', 'univfd+leace', 'univfd', '... LEACE'),
    (4, 'six-biased', 'sd-samples-swapped', 'univfd+image-pca', 'univfd', '... principal directions, no captions'),
    (5, 'six-biased', 'sd-samples-swapped', 'univfd+cross-modal', 'univfd+image-pca', '... captions against none'),
    (6, 'six-biased', 'sd-samples-paired', 'univfd+cross-modal', 'univfd', 'cross-modal, crops, as trained'),
    (7, 'six-biased', 'sd-samples-swapped', 'univfd+mosaic+cross-modal', 'univfd+mosaic', 'cross-modal, mosaics, swapped'),
    (8, 'six-biased', 'sd-samples-swapped', 'univfd+mosaic+random-directions', 'univfd+mosaic', '... as many random directions'),
    (9, 'six', 'sd-samples', 'univfd+cross-modal', 'univfd', 'cross-modal, crops, nothing planted'),
    (10, 'six', 'sd-samples', 'univfd+mosaic+cross-modal', 'univfd+mosaic', '... mosaics'),
    (11, 'six', 'sd-samples', 'univfd+mosaic', 'univfd', 'mosaics against crops, nothing planted')),
differences AS (
    SELECT 'six-biased' AS training_set, * FROM 'real/tables/differences_six-biased_harmonised.csv'
    UNION ALL SELECT 'six', * FROM 'real/tables/differences_six_harmonised.csv')
SELECT training_set AS trained, detector, reference AS minus, within(difference, difference_low, difference_high) AS "AUROC",
       ends(difference_population_low, difference_population_high) AS "another generator", words AS "what differs"
FROM claims LEFT JOIN differences USING (training_set, suite, detector, reference)
WHERE "group" = 'held-out' AND metric = 'auroc' AND condition = 'harmonised'
ORDER BY place
