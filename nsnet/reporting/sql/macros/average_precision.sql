-- Average precision as scikit-learn has it: precision times recall gained over the distinct scores, every picture counts once (metric plain_ap); null if a class is missing
-- A list of one gives an aggregate a name: it may not stand inside of a lambda, and is computed once.
(label, score) AS list_transform([ranked_fakes(label, score)], lambda fakes: list_transform(
    -- Of fakes of one score the last knows how many there are.
    [list_filter(
        list_transform(fakes, lambda fake, number: {
            'number': number, 'reals': fake.reals, 'last': fake.score IS DISTINCT FROM fakes[number + 1].score
        }),
        lambda fake: fake.last
    )],
    lambda steps: list_sum(list_transform(steps, lambda step, place:
        (step.number - coalesce(steps[place - 1].number, 0)) * step.number / (step.number + step.reals)
    )) / len(fakes)
)[1])[1] + CASE WHEN count(score) FILTER (label = 0) > 0 THEN 0 END
