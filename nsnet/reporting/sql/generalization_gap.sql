-- Mean in-domain accuracy minus mean held-out accuracy, by detector
SELECT training_set, train_condition, detector, suite, condition, in_domain_acc, acc AS held_out_acc,
       in_domain_acc - acc AS gap
FROM leaderboard WHERE in_domain_acc IS NOT NULL
ORDER BY suite, training_set, train_condition, condition, gap, detector
