-- Share of pairs of a fake and a real in which the fake scores higher, ties half; null if a class is missing
-- Pairs in which the real does not score lower, and those in which the fake does not: ties are in both, and cancel.
(label, score) AS 0.5 + (
    list_sum(list_transform(ranked_fakes(1 - label, score), lambda real: real.reals))
    - list_sum(list_transform(ranked_fakes(label, score), lambda fake: fake.reals))
) / nullif(2 * count(score) FILTER (label = 1) * count(score) FILTER (label = 0), 0)
