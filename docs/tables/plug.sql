WITH kinds(place, kind, words) AS (VALUES (1, 'linear', 'linear probe, frozen (UnivFD)'), (2, 'lora', 'LoRA'), (3, 'effort', 'Effort'), (4, 'cnn', 'CNN, no CLIP')),
rows AS (
    SELECT place, words AS detector, CASE "view" WHEN 'mosaic' THEN 'yes' ELSE '' END AS patches, training_set, null_space,
           within(acc, acc_low, acc_high) AS acc, number(auroc) AS auroc
    FROM 'plug/tables/plug_and_play.csv' JOIN kinds USING (kind))
SELECT detector, patches AS "patch selection",
       CASE training_set WHEN 'biased' THEN 'full bias' ELSE 'no bias' END AS trained,
       any_value(acc) FILTER (null_space = 'none') AS none, any_value(auroc) FILTER (null_space = 'none') AS "AUROC, none",
       any_value(acc) FILTER (null_space = 'text') AS text, any_value(auroc) FILTER (null_space = 'text') AS "AUROC, text",
       any_value(acc) FILTER (null_space = 'cross-modal') AS "cross-modal",
       any_value(auroc) FILTER (null_space = 'cross-modal') AS "AUROC, cross-modal"
FROM rows
GROUP BY place, detector, patches, training_set
ORDER BY training_set, place, patches
