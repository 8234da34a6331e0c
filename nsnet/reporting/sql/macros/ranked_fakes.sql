-- Fakes from the highest score down, each with its score and how many reals score as high or higher: what curves are made of
-- Among equal scores reals come first, so that a fake's place less its number among the fakes is that count.
(label, score) AS list_transform(
    list_filter(
        list_transform(
            list({'label': label, 'score': score} ORDER BY score DESC, label)
                FILTER (score IS NOT NULL AND label IS NOT NULL),
            lambda picture, place: {'label': picture.label, 'score': picture.score, 'place': place}
        ),
        lambda picture: picture.label = 1
    ),
    lambda fake, number: {'score': fake.score, 'reals': fake.place - number}
)
