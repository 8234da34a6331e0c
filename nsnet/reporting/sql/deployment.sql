-- What a user of a detector asks: false alarms, fakes caught at few of them, right alarms where one picture in a hundred is fake, calibration; held-out
SELECT training_set, train_condition, suite, condition, detector, n_generators, n_seeds,
       max(value) FILTER (metric = 'r_acc') AS r_acc,
       max(ci_low) FILTER (metric = 'r_acc') AS r_acc_low,
       max(ci_high) FILTER (metric = 'r_acc') AS r_acc_high,
       max(value) FILTER (metric = 'f_acc') AS f_acc,
       max(ci_low) FILTER (metric = 'f_acc') AS f_acc_low,
       max(ci_high) FILTER (metric = 'f_acc') AS f_acc_high,
       max(value) FILTER (metric = 'tpr_at_1_percent') AS tpr_at_1_percent,
       max(ci_low) FILTER (metric = 'tpr_at_1_percent') AS tpr_at_1_percent_low,
       max(ci_high) FILTER (metric = 'tpr_at_1_percent') AS tpr_at_1_percent_high,
       max(value) FILTER (metric = 'tpr_at_5_percent') AS tpr_at_5_percent,
       max(ci_low) FILTER (metric = 'tpr_at_5_percent') AS tpr_at_5_percent_low,
       max(ci_high) FILTER (metric = 'tpr_at_5_percent') AS tpr_at_5_percent_high,
       max(value) FILTER (metric = 'precision_at_1_percent') AS precision_at_1_percent,
       max(ci_low) FILTER (metric = 'precision_at_1_percent') AS precision_at_1_percent_low,
       max(ci_high) FILTER (metric = 'precision_at_1_percent') AS precision_at_1_percent_high,
       max(value) FILTER (metric = 'ece') AS ece,
       max(ci_low) FILTER (metric = 'ece') AS ece_low,
       max(ci_high) FILTER (metric = 'ece') AS ece_high,
       max(value) FILTER (metric = 'ece_scaled') AS ece_scaled,
       max(ci_low) FILTER (metric = 'ece_scaled') AS ece_scaled_low,
       max(ci_high) FILTER (metric = 'ece_scaled') AS ece_scaled_high
FROM means
WHERE "group" = 'held-out'
GROUP BY training_set, train_condition, suite, condition, detector, n_generators, n_seeds
ORDER BY suite, training_set, train_condition, condition, tpr_at_1_percent DESC, detector
