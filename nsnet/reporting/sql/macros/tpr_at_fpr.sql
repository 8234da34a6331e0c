-- Highest share of fakes that a threshold catches which calls at most the share fpr of reals fake; null if a class is missing
-- A list of one gives aggregates names: they may not stand inside of a lambda.
(label, score, fpr) AS list_transform(
    [{'fakes': ranked_fakes(label, score), 'reals': count(score) FILTER (label = 0)}],
    lambda found: len(list_filter(found.fakes, lambda fake: fake.reals / nullif(found.reals, 0) <= fpr))
                  / nullif(len(found.fakes), 0) + CASE WHEN found.reals > 0 THEN 0 END
)[1]
