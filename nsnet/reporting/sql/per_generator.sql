-- Every metric of every detector on every generator, mean over seeds; low/high are this benchmark again
SELECT m.training_set, m.train_condition, m.suite, g.family, g.generator, m.condition, m.detector, m.metric,
       g.in_domain, m.value, m.ci_low AS value_low, m.ci_high AS value_high, m.n_seeds, g.n_real, g.n_fake,
       g.file_auc, g.files_give_label_away
FROM means m
JOIN generators g ON g.training_set = m.training_set AND g.suite = m.suite
                 AND m."group" = 'generator:' || g.suite || '/' || g.generator
ORDER BY m.suite, m.training_set, m.train_condition, m.condition, g.family, g.generator, m.detector, m.metric
