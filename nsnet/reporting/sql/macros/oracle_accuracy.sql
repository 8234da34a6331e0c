-- Balanced accuracy at the best of all thresholds for these very pictures (metric acc_oracle): an upper bound that nobody can use, since labels choose the threshold; null if a class is missing
-- A threshold that catches some fakes passes most reals at the lowest of their scores; one above all scores catches none.
(label, score) AS list_transform(
    [{'fakes': ranked_fakes(label, score), 'reals': count(score) FILTER (label = 0)}],
    lambda found: (1 + greatest(0, list_max(list_transform(
        found.fakes, lambda fake, number: number / len(found.fakes) - fake.reals / nullif(found.reals, 0)
    )))) / 2 + CASE WHEN found.reals > 0 AND len(found.fakes) > 0 THEN 0 END
)[1]
