WITH grid AS (
    SELECT backbone, null_space AS "null space", patch_selection AS "patch selection", contrastive, training_set,
           within(acc, acc_low, acc_high) AS acc, number(auroc) AS auroc
    FROM 'full/tables/ablation.csv')
SELECT CASE b.backbone WHEN 'LoRA' THEN 'LoRA' ELSE 'frozen' END AS backbone,
       CASE WHEN b."null space" THEN 'text' ELSE '' END AS "null space",
       CASE WHEN b."patch selection" THEN 'yes' ELSE '' END AS "patch selection",
       CASE WHEN b.contrastive THEN 'yes' ELSE '' END AS "contrastive loss",
       b.acc AS "full bias, acc", b.auroc AS AUROC, u.acc AS "no bias, acc", u.auroc AS "AUROC, no bias"
FROM grid b JOIN grid u USING (backbone, "null space", "patch selection", contrastive)
WHERE (b.training_set, u.training_set) = ('biased', 'unbiased')
ORDER BY backbone DESC, b."null space", b."patch selection", b.contrastive
