-- One row per detector and generator, mean over seeds: metrics, intervals, n, and what the files give away
SELECT s.training_set, s.train_condition, s.detector, s.suite, g.generator, g.family, g.in_domain, s.condition,
       s.n_seeds, s.acc, s.acc_low, s.acc_high, s.r_acc, s.f_acc, s.ap, s.ap_low, s.ap_high,
       s.auroc, s.auroc_low, s.auroc_high, s.acc_validation, s.acc_validation_low, s.acc_validation_high,
       s.plain_acc, s.plain_ap, g.n_real, g.n_fake, g.file_auc, g.files_give_label_away
FROM scoreboard s
JOIN generators g ON g.training_set = s.training_set AND g.suite = s.suite
                 AND s."group" = 'generator:' || g.suite || '/' || g.generator
ORDER BY s.suite, s.training_set, s.train_condition, s.condition, s.detector, g.family, g.generator
