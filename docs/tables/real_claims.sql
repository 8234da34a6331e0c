WITH claims(place, suite, detector, reference, words) AS (VALUES
    (1, 'sd-samples-swapped', 'univfd+cross-modal', 'univfd', 'cross-modal, crops, swapped'),
    (2, 'sd-samples-swapped', 'univfd+random-directions', 'univfd', '... as many random directions'),
    (3, 'sd-samples-swapped', 'univfd+leace', 'univfd', '... LEACE'),
    (4, 'sd-samples-swapped', 'univfd+image-pca', 'univfd', '... principal directions, no captions'),
    (5, 'sd-samples-swapped', 'univfd+cross-modal', 'univfd+image-pca', '... captions against none'),
    (6, 'sd-samples-paired', 'univfd+cross-modal', 'univfd', 'cross-modal, crops, as trained'),
    (7, 'sd-samples-swapped', 'univfd+mosaic+cross-modal', 'univfd+mosaic', 'cross-modal, mosaics, swapped'),
    (8, 'sd-samples-swapped', 'univfd+mosaic+random-directions', 'univfd+mosaic', '... as many random directions'),
    (9, 'sd-samples-swapped', 'univfd+mosaic', 'univfd', 'patch selection alone, swapped'))
SELECT detector, reference AS minus, within(difference, difference_low, difference_high) AS "AUROC",
       ends(difference_population_low, difference_population_high) AS "another generator", words AS "what differs"
FROM claims LEFT JOIN 'real/tables/differences_six-biased_harmonised.csv' USING (suite, detector, reference)
WHERE "group" = 'held-out' AND metric = 'auroc' AND condition = 'harmonised'
ORDER BY place
