-- NS-Net's parts on and off: text null space, patch selection, contrastive loss, on the frozen backbone and with LoRA; held-out
SELECT suite, condition, training_set, train_condition, CASE kind WHEN 'lora' THEN 'LoRA' ELSE 'frozen' END AS backbone,
       null_space = 'text' AS null_space, "view" = 'mosaic' AS patch_selection, contrastive, detector, n_generators,
       leaderboard.n_seeds, acc, acc_low, acc_high, acc_population_low, acc_population_high, ap, ap_low, ap_high, auroc, auroc_low,
       auroc_high
FROM leaderboard
JOIN detectors USING (training_set, train_condition, detector, kind, "view", null_space, adapter, contrastive)
-- Beside the four switches all is alike: the loss on the frozen backbone needs the adapter, which stands for LoRA.
WHERE null_space IN ('none', 'text') AND "view" IN ('mosaic', 'crop')
  AND (kind = 'linear' AND adapter = contrastive OR kind = 'lora' AND plain)
ORDER BY suite, condition, training_set, train_condition, backbone, null_space, patch_selection, contrastive, detector
