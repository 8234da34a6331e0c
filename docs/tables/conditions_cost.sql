SELECT condition, detector,
       within(acc_delivered, acc_delivered_low, acc_delivered_high) AS "acc, minus as it is",
       within(auroc_delivered, auroc_delivered_low, auroc_delivered_high) AS "AUROC, minus as it is"
FROM 'conditions/tables/robustness.csv'
WHERE training_set = 'unbiased' AND train_condition = 'clean' AND detector IN ('univfd', 'univfd+cross-modal')
  AND condition IN ('jpeg95', 'jpeg75', 'jpeg30', 'blur1', 'half', 'resized_jpeg75')
