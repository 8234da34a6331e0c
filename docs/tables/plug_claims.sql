WITH claims(place, training_set, detector, reference, words) AS (VALUES
    (1, 'biased', 'univfd+mosaic+null-space', 'univfd+mosaic', 'the text null space, linear probe on mosaics'),
    (2, 'biased', 'clip-lora+mosaic+null-space', 'clip-lora+mosaic', '... LoRA'),
    (3, 'biased', 'effort+mosaic+null-space', 'effort+mosaic', '... Effort'),
    (4, 'biased', 'effort+mosaic+random-directions', 'effort+mosaic', '... as many random directions, Effort'),
    (5, 'biased', 'effort+mosaic+null-space', 'univfd+mosaic+null-space', 'Effort against the frozen probe, both with the text null space'),
    (6, 'biased', 'head+mosaic+null-space', 'univfd+mosaic+null-space', '... the same training of a head on a tower that stands'),
    (7, 'biased', 'effort+mosaic+null-space', 'head+mosaic+null-space', '... Effort against that'),
    (8, 'biased', 'effort+null-space', 'head+null-space', '... on crops'),
    (9, 'biased', 'clip-lora+mosaic+null-space', 'head+mosaic+null-space', 'LoRA against that'),
    (10, 'biased', 'univfd+mosaic+cross-modal', 'univfd+mosaic', 'the cross-modal null space, linear probe on mosaics'),
    (11, 'biased', 'clip-lora+mosaic+cross-modal', 'clip-lora+mosaic', '... LoRA'),
    (12, 'biased', 'effort+mosaic+cross-modal', 'effort+mosaic', '... Effort'),
    (13, 'biased', 'effort+mosaic+cross-modal', 'effort+mosaic+null-space', 'cross-modal against text under Effort'),
    (14, 'biased', 'effort+cross-modal', 'effort+null-space', '... on crops'),
    (15, 'biased', 'clip-lora+mosaic+cross-modal', 'head+mosaic+cross-modal', 'LoRA undoes the cross-modal null space, against that head'),
    (16, 'biased', 'effort+mosaic+cross-modal', 'head+mosaic+cross-modal', 'Effort against it'),
    (17, 'unbiased', 'effort', 'univfd', 'Effort against the frozen probe without bias, crops'),
    (18, 'unbiased', 'clip-lora', 'univfd', 'LoRA against it'),
    (19, 'unbiased', 'univfd+mosaic', 'univfd', 'patch selection alone without bias, linear probe'),
    (20, 'unbiased', 'clip-lora+mosaic', 'clip-lora', '... LoRA'),
    (21, 'unbiased', 'effort+mosaic', 'effort', '... Effort'),
    (22, 'unbiased', 'cnn-control', 'cnn-crop', '... CNN without CLIP')),
differences AS (
    SELECT 'biased' AS training_set, * FROM 'plug/tables/differences_biased.csv'
    UNION ALL SELECT 'unbiased', * FROM 'plug/tables/differences_unbiased.csv')
SELECT CASE training_set WHEN 'biased' THEN 'full bias' ELSE 'no bias' END AS trained, detector, reference AS minus,
       within(difference, difference_low, difference_high) AS acc,
       ends(difference_population_low, difference_population_high) AS "another generator", words AS "what differs"
FROM claims LEFT JOIN differences USING (training_set, detector, reference)
WHERE "group" = 'held-out' AND metric = 'acc'
ORDER BY place
