WITH claims(place, training_set, detector, reference, words) AS (VALUES
    (1, 'biased', 'nsnet-without-contrastive', 'univfd+mosaic', 'the text null space, on mosaics'),
    (2, 'biased', 'nsnet-without-contrastive', 'univfd+mosaic+random-directions', '... against random directions of the same rank'),
    (3, 'biased', 'univfd+null-space', 'univfd', 'the text null space, on crops'),
    (4, 'unbiased', 'nsnet-without-contrastive', 'univfd+mosaic', 'the same without bias, on mosaics'),
    (5, 'unbiased', 'univfd+null-space', 'univfd', 'the same without bias, on crops'),
    (6, 'biased', 'univfd+mosaic+cross-modal', 'nsnet-without-contrastive', 'the cross-modal null space against the text one, on mosaics'),
    (7, 'biased', 'univfd+cross-modal', 'univfd+null-space', 'the same on crops'),
    (8, 'unbiased', 'univfd+mosaic+cross-modal', 'univfd+mosaic', 'the cross-modal null space without bias, on mosaics'),
    (9, 'unbiased', 'univfd+cross-modal', 'univfd', 'the same on crops'),
    (10, 'biased', 'univfd+mosaic+leace', 'univfd+mosaic+cross-modal', 'LEACE against cross-modal'),
    (11, 'biased', 'univfd+mosaic+image-pca', 'univfd+mosaic+cross-modal', 'no captions against captions'),
    (12, 'biased', 'nsnet-cross-modal', 'nsnet', 'the cross-modal null space in NS-Net'),
    (13, 'unbiased', 'nsnet-cross-modal', 'nsnet', '... without bias'),
    (14, 'unbiased', 'univfd+mosaic+image-pca', 'univfd+mosaic', 'no captions, without bias'),
    (15, 'biased', 'nsnet-cross-modal', 'cnn-control', 'against what the corpus allows'),
    (16, 'biased', 'nsnet', 'nsnet-without-loss', 'the contrastive loss, adapter kept'),
    (17, 'unbiased', 'nsnet', 'nsnet-without-loss', 'the same without bias'),
    (18, 'biased', 'nsnet-without-loss', 'nsnet-without-contrastive', 'the adapter'),
    (19, 'unbiased', 'nsnet-without-loss', 'nsnet-without-contrastive', 'the same without bias'),
    (20, 'biased', 'nsnet', 'univfd', 'all parts of the paper together'),
    (21, 'biased', 'nsnet', 'cnn-control', 'what the corpus allows'),
    (22, 'unbiased', 'univfd-resized', 'univfd', 'resizing instead of a crop')),
differences AS (
    SELECT 'biased' AS training_set, * FROM 'tables/differences_biased.csv'
    UNION ALL SELECT 'unbiased', * FROM 'tables/differences_unbiased.csv')
SELECT training_set AS "trained on", detector, reference AS minus,
       within(difference, difference_low, difference_high) AS acc,
       ends(difference_population_low, difference_population_high) AS "another generator", words AS "what differs"
FROM claims LEFT JOIN differences USING (training_set, detector, reference)
WHERE "group" = 'held-out' AND metric = 'acc'
ORDER BY place
