SELECT training_set AS "trained on", condition, detector, within(acc, acc_low, acc_high) AS acc,
       within(acc_matched, acc_matched_low, acc_matched_high) AS "acc, minus trained as it is",
       within(auroc_matched, auroc_matched_low, auroc_matched_high) AS "AUROC, minus trained as it is"
FROM 'conditions/tables/robustness.csv'
WHERE train_condition = condition AND condition <> 'clean'
  AND detector IN ('univfd', 'univfd+cross-modal', 'nsnet')
ORDER BY training_set DESC, condition, detector
