WITH claims(place, training_set, detector, reference, words) AS (VALUES
    (1, 'biased', 'univfd+mosaic+null-space', 'univfd+mosaic', 'the text null space, linear probe on mosaics'),
    (2, 'biased', 'clip-lora+mosaic+null-space', 'clip-lora+mosaic', '... LoRA'),
    (3, 'biased', 'effort+mosaic+null-space', 'effort+mosaic', '... Effort'),
    (4, 'biased', 'effort+mosaic+null-space', 'univfd+mosaic+null-space', 'Effort against the frozen probe, both with it'),
    (5, 'biased', 'effort+null-space', 'univfd+null-space', '... on crops'),
    (6, 'biased', 'effort+mosaic+null-space', 'clip-lora+mosaic+null-space', 'Effort against LoRA, both with it'),
    (7, 'biased', 'univfd+mosaic+cross-modal', 'univfd+mosaic', 'the cross-modal null space, linear probe on mosaics'),
    (8, 'biased', 'clip-lora+mosaic+cross-modal', 'clip-lora+mosaic', '... LoRA'),
    (9, 'biased', 'effort+mosaic+cross-modal', 'effort+mosaic', '... Effort'),
    (10, 'biased', 'effort+mosaic+cross-modal', 'effort+mosaic+null-space', 'cross-modal against text under Effort'),
    (11, 'biased', 'effort+cross-modal', 'effort+null-space', '... on crops'),
    (12, 'biased', 'clip-lora+mosaic+cross-modal', 'univfd+mosaic+cross-modal', 'LoRA undoes the cross-modal null space'),
    (13, 'biased', 'effort+mosaic+cross-modal', 'univfd+mosaic+cross-modal', '... Effort does not'),
    (14, 'unbiased', 'effort', 'univfd', 'Effort against the frozen probe without bias, crops'),
    (15, 'unbiased', 'clip-lora', 'univfd', 'LoRA against it'),
    (16, 'unbiased', 'univfd+mosaic', 'univfd', 'patch selection alone without bias, linear probe'),
    (17, 'unbiased', 'clip-lora+mosaic', 'clip-lora', '... LoRA'),
    (18, 'unbiased', 'effort+mosaic', 'effort', '... Effort'),
    (19, 'unbiased', 'cnn-control', 'cnn-crop', '... CNN without CLIP')),
differences AS (
    SELECT 'biased' AS training_set, * FROM 'plug/tables/differences_biased.csv'
    UNION ALL SELECT 'unbiased', * FROM 'plug/tables/differences_unbiased.csv')
SELECT CASE training_set WHEN 'biased' THEN 'full bias' ELSE 'no bias' END AS trained, detector, reference AS minus,
       within(difference, difference_low, difference_high) AS acc,
       ends(difference_population_low, difference_population_high) AS "another generator", words AS "what differs"
FROM claims LEFT JOIN differences USING (training_set, detector, reference)
WHERE "group" = 'held-out' AND metric = 'acc'
ORDER BY place
