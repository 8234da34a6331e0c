WITH claims(place, training_set, detector, reference, words) AS (VALUES
    (1, 'biased', 'clip-lora+null-space', 'clip-lora', 'the text null space under LoRA, on crops'),
    (2, 'biased', 'nsnet-lora-without-contrastive', 'clip-lora+mosaic', 'the same on mosaics'),
    (3, 'biased', 'nsnet-lora-without-contrastive', 'nsnet-without-contrastive', 'LoRA against the frozen head, both with the text null space'),
    (4, 'unbiased', 'clip-lora+null-space', 'clip-lora', 'the text null space under LoRA without bias, on crops'),
    (5, 'unbiased', 'nsnet-lora-without-contrastive', 'clip-lora+mosaic', 'the same on mosaics'),
    (6, 'biased', 'nsnet-lora', 'nsnet-lora-without-contrastive', 'the contrastive loss under LoRA'),
    (7, 'unbiased', 'nsnet-lora', 'nsnet-lora-without-contrastive', 'the same without bias'),
    (8, 'biased', 'nsnet-lora-cross-modal', 'nsnet-cross-modal', 'LoRA undoes a fixed cross-modal null space'),
    (9, 'biased', 'nsnet-lora-refit', 'nsnet-lora-cross-modal', '(a) estimated anew before each epoch'),
    (10, 'biased', 'nsnet-lora-penalty', 'nsnet-lora-cross-modal', '(b) the penalty'),
    (11, 'biased', 'nsnet-lora-penalty-without-contrastive', 'nsnet-lora-penalty', '... without the contrastive loss'),
    (12, 'biased', 'nsnet-lora-first-layer', 'nsnet-lora-cross-modal', '(c) adapters in the first layer alone'),
    (13, 'biased', 'nsnet-lora-selected', 'nsnet-lora-cross-modal', '(d) the epoch of best accuracy under content shift'),
    (14, 'biased', 'nsnet-lora-penalty', 'univfd+mosaic+cross-modal', 'the best of them against a frozen linear head'),
    (15, 'unbiased', 'nsnet-lora-penalty', 'univfd+mosaic+cross-modal', '... without bias'),
    (16, 'biased', 'nsnet-lora', 'clip-lora', 'all parts of the paper together'),
    (17, 'unbiased', 'nsnet-lora', 'clip-lora', 'the same without bias')),
differences AS (
    SELECT 'biased' AS training_set, * FROM 'full/tables/differences_biased.csv'
    UNION ALL SELECT 'unbiased', * FROM 'full/tables/differences_unbiased.csv'),
both_metrics AS (
    SELECT training_set, detector, reference,
           any_value(within(difference, difference_low, difference_high)) FILTER (metric = 'acc') AS acc,
           any_value(ends(difference_population_low, difference_population_high)) FILTER (metric = 'acc') AS elsewhere,
           any_value(within(difference, difference_low, difference_high)) FILTER (metric = 'auroc') AS auroc
    FROM differences WHERE "group" = 'held-out' GROUP BY ALL)
SELECT training_set AS "trained on", detector, reference AS minus, acc, elsewhere AS "another generator", auroc AS AUROC,
       words AS "what differs"
FROM claims LEFT JOIN both_metrics USING (training_set, detector, reference)
ORDER BY place
