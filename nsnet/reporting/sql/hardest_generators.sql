-- Held-out generators by the best accuracy any detector reaches on them, hardest first
SELECT training_set, train_condition, suite, condition, generator, family, max(acc) AS best_acc,
       arg_max(detector, acc) AS best_detector, avg(acc) AS mean_acc, any_value(file_auc) AS file_auc,
       any_value(files_give_label_away) AS files_give_label_away
FROM cross_domain WHERE NOT in_domain
GROUP BY training_set, train_condition, suite, condition, generator, family
ORDER BY suite, training_set, train_condition, condition, best_acc, generator
