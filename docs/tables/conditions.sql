WITH rows AS (
    SELECT row_number() OVER () AS place, condition, detector, within(acc, acc_low, acc_high) AS shown
    FROM 'conditions/tables/robustness.csv'
    WHERE training_set = 'unbiased' AND train_condition = 'clean'
      AND detector IN ('univfd', 'univfd+cross-modal', 'univfd+mosaic', 'nsnet', 'univfd-resized')
)
SELECT condition,
       max(shown) FILTER (detector = 'univfd') AS univfd,
       max(shown) FILTER (detector = 'univfd+cross-modal') AS "univfd+cross-modal",
       max(shown) FILTER (detector = 'univfd+mosaic') AS "univfd+mosaic",
       max(shown) FILTER (detector = 'nsnet') AS nsnet,
       max(shown) FILTER (detector = 'univfd-resized') AS "univfd-resized"
FROM rows GROUP BY condition ORDER BY min(place)
