-- Tested generators: family, sizes, who has seen them in training, and what their files give away
SELECT DISTINCT r.training_set, x.suite, x.generator, x.family, x.in_domain, x.n_real, x.n_fake, b.auc AS file_auc,
       b.flagged AS files_give_label_away
FROM results x
JOIN runs r USING (run_id)
LEFT JOIN bias_audit b USING (suite, generator)
WHERE x."current" AND r."current"
ORDER BY training_set, suite, family, generator
