WITH claims(place, folder, training_set, detector, reference, words) AS (VALUES
    (1, 'plug', 'biased', 'univfd+mosaic+cross-modal', 'univfd+mosaic', 'linear probe, cross-modal null space, mosaics'),
    (2, 'plug', 'biased', 'clip-lora+mosaic+cross-modal', 'clip-lora+mosaic', 'LoRA'),
    (3, 'plug', 'biased', 'effort+mosaic+cross-modal', 'effort+mosaic', 'Effort'),
    (4, 'plug', 'biased', 'univfd+cross-modal', 'univfd', 'linear probe, crops'),
    (5, 'plug', 'biased', 'clip-lora+cross-modal', 'clip-lora', 'LoRA'),
    (6, 'plug', 'biased', 'effort+cross-modal', 'effort', 'Effort'),
    (7, 'second', 'biased', 'univfd+cross-modal', 'univfd', 'linear probe on EfficientNet-Lite0, crops'),
    (8, 'second', 'biased', 'univfd+mosaic+cross-modal', 'univfd+mosaic', '... all patches out of order'),
    (9, 'second', 'biased', 'univfd+random-directions', 'univfd', '... random directions, crops'),
    (10, 'plug', 'biased', 'effort', 'univfd', 'Effort against a frozen probe, crops'),
    (11, 'plug', 'unbiased', 'effort', 'univfd', '... without bias'),
    (12, 'plug', 'unbiased', 'clip-lora', 'univfd', 'LoRA against a frozen probe without bias'),
    (13, 'plug', 'unbiased', 'cnn-control', 'cnn-crop', 'patch selection for a CNN without CLIP, no bias'),
    (14, 'plug', 'biased', 'cnn-control', 'cnn-crop', '... under full bias'),
    (15, 'plug', 'unbiased', 'univfd+mosaic', 'univfd', 'patch selection for a linear probe, no bias'),
    (16, 'plug', 'unbiased', 'clip-lora+mosaic', 'clip-lora', '... for LoRA')),
differences AS (
    SELECT 'plug' AS folder, 'biased' AS training_set, * FROM 'plug/tables/differences_biased.csv'
    UNION ALL SELECT 'plug', 'unbiased', * FROM 'plug/tables/differences_unbiased.csv'
    UNION ALL SELECT 'second', 'biased', * FROM 'second/tables/differences_biased.csv')
SELECT CASE training_set WHEN 'biased' THEN 'full bias' ELSE 'no bias' END AS trained, detector, reference AS minus,
       within(difference, difference_low, difference_high) AS acc,
       ends(difference_population_low, difference_population_high) AS "another generator", words AS "what differs"
FROM claims LEFT JOIN differences USING (folder, training_set, detector, reference)
WHERE "group" = 'held-out' AND metric = 'acc'
ORDER BY place
