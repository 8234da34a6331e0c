WITH scores AS (
    SELECT 'biased' AS training_set, * FROM 'full/tables/leaderboard_biased.csv'
    UNION ALL SELECT 'unbiased', * FROM 'full/tables/leaderboard_unbiased.csv')
SELECT detector, within(b.acc, b.acc_low, b.acc_high) AS "full bias, acc",
       within(b.auroc, b.auroc_low, b.auroc_high) AS "full bias, AUROC",
       b.r_acc AS "R.Acc", b.f_acc AS "F.Acc", number(b.acc_validation) AS "acc, chosen threshold", within(u.acc, u.acc_low, u.acc_high) AS "no bias, acc",
       within(u.auroc, u.auroc_low, u.auroc_high) AS "no bias, AUROC"
FROM scores b JOIN scores u USING (detector)
WHERE (b.training_set, u.training_set) = ('biased', 'unbiased')
  AND (contains(detector, 'lora') OR detector IN ('nsnet', 'nsnet-cross-modal', 'univfd+mosaic+cross-modal', 'univfd', 'cnn-control'))
ORDER BY b.acc DESC, detector
