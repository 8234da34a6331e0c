/* What a moderation team would see where one picture in a hundred is fake: how many fakes a detector catches if it may
   call 1 % or 5 % of the reals fake, what share of its alarms at 0.5 is right, and how far its scores are from
   frequencies (which depend on the share of fakes in the test split). Generators it was not trained on, mean over seeds.
   1 % of 500 reals are five pictures: a small pool gives a rough number. */
WITH pictures AS (
    SELECT DISTINCT r.run_id, r.train_condition, s.suite, p.condition, r.detector, s.label, p.image_id, p.score
    FROM predictions p
    JOIN runs r USING (run_id)
    JOIN samples s ON s.image_id = p.image_id AND s.split = p.split
    WHERE p."current" AND r."current" AND p.split = 'test' AND r.training_set = 'biased'
      AND NOT list_contains(s.in_domain_for, r.training_set)
), by_run AS (
    SELECT run_id, train_condition, suite, condition, detector, auroc(label, score) AS auroc,
           tpr_at_fpr(label, score, 0.01) AS tpr_at_1_percent, tpr_at_fpr(label, score, 0.05) AS tpr_at_5_percent,
           precision_at_base_rate(label, score, 0.5, 0.01) AS alarms_right,
           expected_calibration_error(label, score, 10) AS calibration_error
    FROM pictures
    GROUP BY run_id, train_condition, suite, condition, detector
)
SELECT suite, condition, train_condition, detector, avg(auroc) AS auroc, avg(tpr_at_1_percent) AS tpr_at_1_percent,
       avg(tpr_at_5_percent) AS tpr_at_5_percent, avg(alarms_right) AS alarms_right,
       avg(calibration_error) AS calibration_error
FROM by_run
GROUP BY suite, condition, train_condition, detector
ORDER BY suite, condition, train_condition, auroc DESC, detector
