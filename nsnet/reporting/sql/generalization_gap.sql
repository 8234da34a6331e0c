-- Mean in-domain accuracy minus mean held-out accuracy, by detector
SELECT training_set, train_condition, detector, suite, condition, in_domain_acc, acc AS held_out_acc,
       in_domain_acc - acc AS gap
FROM leaderboard
JOIN detectors USING (training_set, train_condition, detector)
WHERE in_domain_acc IS NOT NULL AND trained_on_it
ORDER BY suite, training_set, train_condition, condition, gap, detector
