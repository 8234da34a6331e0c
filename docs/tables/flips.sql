SELECT detector, condition, n_real AS reals, n_fake AS fakes, within(flips, flips_low, flips_high) AS flips,
       within(reals_to_fake, reals_to_fake_low, reals_to_fake_high) AS "reals come to be fake",
       within(fakes_to_real, fakes_to_real_low, fakes_to_real_high) AS "fakes come to be real"
FROM 'conditions/tables/flip_rates.csv'
WHERE training_set = 'unbiased' AND train_condition = 'clean'
  AND detector IN ('univfd', 'univfd+cross-modal', 'nsnet')
  AND condition IN ('jpeg90', 'jpeg70', 'jpeg50', 'webp80', 'at_most_1080', 'at_most_512', 'screenshot')
