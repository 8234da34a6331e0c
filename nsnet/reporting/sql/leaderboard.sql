-- Detectors by mean accuracy over seeds and held-out generators: low/high are this benchmark again, population another generator
SELECT d.origin, s.training_set, s.train_condition, s.suite, s.condition, s.detector, d.kind, d."view", d.null_space,
       d.adapter, d.contrastive, s.n_generators, s.n_seeds,
       s.acc, s.acc_low, s.acc_high, s.acc_population_low, s.acc_population_high,
       s.ap, s.ap_low, s.ap_high, s.ap_population_low, s.ap_population_high,
       s.auroc, s.auroc_low, s.auroc_high, s.auroc_population_low, s.auroc_population_high,
       s.acc_validation, s.acc_validation_low, s.acc_validation_high,
       s.acc_validation_population_low, s.acc_validation_population_high,
       s.r_acc, s.f_acc, s.plain_acc, s.plain_ap,
       i.acc AS in_domain_acc, i.acc_low AS in_domain_acc_low, i.acc_high AS in_domain_acc_high,
       b.value AS baseline,
       a.difference AS acc_difference, a.difference_low AS acc_difference_low, a.difference_high AS acc_difference_high,
       a.difference_population_low AS acc_difference_population_low,
       a.difference_population_high AS acc_difference_population_high,
       p.difference AS ap_difference, p.difference_low AS ap_difference_low, p.difference_high AS ap_difference_high,
       p.difference_population_low AS ap_difference_population_low,
       p.difference_population_high AS ap_difference_population_high,
       d.validation_acc
FROM scoreboard s
JOIN detectors d USING (training_set, train_condition, detector)
LEFT JOIN settings b ON b.key = 'baseline'
LEFT JOIN scoreboard i
    ON (i.training_set, i.train_condition, i.suite, i.condition, i.detector, i."group")
     = (s.training_set, s.train_condition, s.suite, s.condition, s.detector, 'in-domain')
LEFT JOIN differences a
    ON (a.training_set, a.train_condition, a.suite, a.condition, a.detector, a."group", a.metric, a.reference)
     = (s.training_set, s.train_condition, s.suite, s.condition, s.detector, 'held-out', 'acc', b.value)
LEFT JOIN differences p
    ON (p.training_set, p.train_condition, p.suite, p.condition, p.detector, p."group", p.metric, p.reference)
     = (s.training_set, s.train_condition, s.suite, s.condition, s.detector, 'held-out', 'ap', b.value)
WHERE s."group" = 'held-out'
ORDER BY s.suite, s.training_set, s.train_condition, s.condition, s.acc DESC, s.detector
