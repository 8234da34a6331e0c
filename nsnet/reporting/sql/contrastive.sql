-- What the contrastive loss does: on against off with the adapter kept, and against no adapter; held-out, paired
WITH heads AS (FROM leaderboard WHERE kind = 'linear')
SELECT w.suite, w.condition, w.training_set, w.train_condition, w."view", w.null_space, w.detector,
       CASE WHEN o.adapter THEN 'loss off, adapter kept' ELSE 'loss off, no adapter' END AS against,
       o.detector AS reference, d.metric, w.n_generators, d.difference, d.difference_low, d.difference_high,
       d.difference_population_low, d.difference_population_high, d.differs, d.differs_elsewhere
FROM heads w
JOIN heads o ON (o.suite, o.condition, o.training_set, o.train_condition, o."view", o.null_space)
              = (w.suite, w.condition, w.training_set, w.train_condition, w."view", w.null_space)
            AND NOT o.contrastive
JOIN differences d ON (d.suite, d.condition, d.training_set, d.train_condition, d.detector, d.reference, d."group")
                    = (w.suite, w.condition, w.training_set, w.train_condition, w.detector, o.detector, 'held-out')
WHERE w.contrastive
ORDER BY w.suite, w.condition, w.training_set, w.train_condition, w.detector, against, reference, d.metric
