-- Held-out means night by night, what has changed since the night compared with, and what each night found; newest first
WITH found AS (
    SELECT night, string_agg(DISTINCT finding, ', ' ORDER BY finding) AS findings, count(*) FILTER (blocks) AS blocking
    FROM night_findings
    GROUP BY night
),
decided AS (
    SELECT night, arg_max(action || ' by ' || "by", decision) AS decision
    FROM night_decisions
    GROUP BY night
),
figures AS (
    SELECT night, suite, training_set, train_condition, condition, detector,
           any_value(n_generators) AS n_generators, any_value(n_seeds) AS n_seeds,
           max(value) FILTER (metric = 'acc') AS acc,
           max(ci_low) FILTER (metric = 'acc') AS acc_low,
           max(ci_high) FILTER (metric = 'acc') AS acc_high,
           max(value) FILTER (metric = 'ap') AS ap,
           max(ci_low) FILTER (metric = 'ap') AS ap_low,
           max(ci_high) FILTER (metric = 'ap') AS ap_high
    FROM night_means
    GROUP BY ALL
),
changes AS (
    SELECT night, suite, training_set, train_condition, condition, detector,
           max(difference) FILTER (metric = 'acc' AND generator IS NULL) AS acc_change,
           max(ci_low) FILTER (metric = 'acc' AND generator IS NULL) AS acc_change_low,
           max(ci_high) FILTER (metric = 'acc' AND generator IS NULL) AS acc_change_high,
           count(DISTINCT generator) FILTER (ci_high < 0) AS worse_generators,
           count(DISTINCT generator) FILTER (ci_low > 0) AS better_generators
    FROM night_changes
    GROUP BY ALL
)
SELECT n.night, n.started_at, n.outcome, d.decision, n.compared_with,
       f.suite, f.training_set, f.train_condition, f.condition, f.detector, f.n_generators, f.n_seeds,
       f.acc, f.acc_low, f.acc_high, f.ap, f.ap_low, f.ap_high,
       CASE WHEN n.compared_with IS NOT NULL AND f.acc IS NOT NULL THEN coalesce(c.acc_change, 0) END AS acc_change,
       c.acc_change_low, c.acc_change_high,
       coalesce(c.worse_generators, 0) AS worse_generators, coalesce(c.better_generators, 0) AS better_generators,
       coalesce(w.findings, '') AS findings, coalesce(w.blocking, 0) AS blocking, n.version, n.revision
FROM nights n
LEFT JOIN figures f USING (night)
LEFT JOIN changes c
    ON (c.night, c.suite, c.training_set, c.train_condition, c.condition, c.detector)
     = (f.night, f.suite, f.training_set, f.train_condition, f.condition, f.detector)
LEFT JOIN found w ON w.night = n.night
LEFT JOIN decided d ON d.night = n.night
ORDER BY n.night DESC, f.suite, f.training_set, f.train_condition, f.condition, f.acc DESC, f.detector
