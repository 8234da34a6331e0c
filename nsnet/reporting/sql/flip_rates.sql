-- Share of decisions that change when test pictures are shown under another condition than clean, at each run's own threshold: of all pictures, of reals that come to be called fake, of fakes that come to be called real
SELECT suite, training_set, train_condition, condition, detector, n_seeds,
       max(n) FILTER (label = 'real') AS n_real,
       max(n) FILTER (label = 'fake') AS n_fake,
       max(value) FILTER (label = 'all' AND flip = 'any') AS flips,
       max(ci_low) FILTER (label = 'all' AND flip = 'any') AS flips_low,
       max(ci_high) FILTER (label = 'all' AND flip = 'any') AS flips_high,
       max(value) FILTER (label = 'real' AND flip = 'real->fake') AS reals_to_fake,
       max(ci_low) FILTER (label = 'real' AND flip = 'real->fake') AS reals_to_fake_low,
       max(ci_high) FILTER (label = 'real' AND flip = 'real->fake') AS reals_to_fake_high,
       max(value) FILTER (label = 'fake' AND flip = 'fake->real') AS fakes_to_real,
       max(ci_low) FILTER (label = 'fake' AND flip = 'fake->real') AS fakes_to_real_low,
       max(ci_high) FILTER (label = 'fake' AND flip = 'fake->real') AS fakes_to_real_high
FROM flip_rate
GROUP BY suite, training_set, train_condition, condition, detector, n_seeds
ORDER BY suite, training_set, train_condition, condition, detector
