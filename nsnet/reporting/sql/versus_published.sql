-- Published figures beside every detector tested on the same suite and generators: ours, their mean over seeds, only where all else matches too; why_not says what does not
WITH tested AS (
    SELECT x.suite, x.generator, x.condition, x.metric, x.value, x.n_real, x.n_fake, r.detector,
           r.training_set, r.train_condition, r.run_id, r."view",
           split_part(r.origin, ':', 1) AS world,
           -- An external detector stands beside training sets that it was not trained on.
           (r.kind <> 'external' OR json_array_length(r.params, '$.training_sets') > 0) AS trained_on_it
    FROM results x
    JOIN runs r USING (run_id)
    WHERE x."current" AND r."current"
), present AS (
    SELECT DISTINCT suite, generator, detector FROM tested
), detector_facts AS (  -- what a detector has in a suite, one run or another
    SELECT suite, detector, any_value("view") AS "view",
           list(DISTINCT training_set) FILTER (trained_on_it) AS training_sets,
           list(DISTINCT training_set) FILTER (trained_on_it AND train_condition = 'clean') AS clean_sets,
           list(DISTINCT condition) AS conditions, list(DISTINCT metric) AS metrics
    FROM tested
    GROUP BY suite, detector
), places AS (
    SELECT "row", suite, unnest(generators) AS generator FROM published
), pairs AS (  -- figures and detectors that have one of their generators; one whose generators are unknown needs none
    SELECT s."row", t.detector, count(*) AS n_found
    FROM places s
    JOIN present t USING (suite, generator)
    GROUP BY s."row", t.detector
    UNION ALL
    SELECT p."row", f.detector, 0 FROM published p JOIN detector_facts f USING (suite) WHERE len(p.generators) = 0
), run_values AS (  -- of runs on the same training set: their mean over the figure's generators, if they have them all
    SELECT p."row", t.detector, t.run_id, avg(t.value) AS value,
           min(t.n_real) AS n_real, min(t.n_fake) AS n_fake
    FROM published p
    JOIN places s USING ("row")
    JOIN tested t ON (t.suite, t.generator, t.training_set, t.condition, t.metric)
                   = (s.suite, s.generator, p.training_set, p.condition, p.metric)
    WHERE t.train_condition = 'clean'
    GROUP BY p."row", t.detector, t.run_id
    HAVING count(*) = any_value(len(p.generators))
), found AS (
    SELECT "row", detector, avg(value) AS value, count(*)::INTEGER AS n_seeds,
           min(n_real) AS n_real, min(n_fake) AS n_fake
    FROM run_values
    GROUP BY "row", detector
), worlds AS (  -- of the runs on a training set, or of all where none is
    SELECT suite, detector, training_set, list(DISTINCT world) AS worlds
    FROM tested
    GROUP BY GROUPING SETS ((suite, detector, training_set), (suite, detector))
), judged AS (
    SELECT p.*, q.detector, f."view", o.value AS found_value, o.n_seeds AS found_seeds,
           o.n_real AS found_real, o.n_fake AS found_fake,
           nullif(concat_ws('; ',
               p.unmapped,
               CASE WHEN q.n_found < len(p.generators)
                    THEN 'generators: ours ' || q.n_found || ' of ' || len(p.generators) END,
               CASE WHEN NOT list_contains(coalesce(f.training_sets, []), p.training_set)
                    THEN 'training set: published ' || p.training_set || ', ours '
                         || coalesce(array_to_string(list_sort(f.training_sets), ', '), 'unknown')
                    WHEN NOT list_contains(coalesce(f.clean_sets, []), p.training_set)
                    THEN 'training condition: published clean, ours another' END,
               CASE WHEN NOT list_contains(f.conditions, p.condition)
                    THEN 'condition: published ' || p.condition || ', ours '
                         || array_to_string(list_sort(f.conditions), ', ') END,
               CASE WHEN NOT list_contains(f.metrics, p.metric)
                    THEN 'kind of accuracy: published ' || p.metric || ', not among ours' END,
               CASE WHEN coalesce(w.worlds, a.worlds) <> ['REAL']
                    THEN 'world: ours ' || array_to_string(list_sort(coalesce(w.worlds, a.worlds)), ', ') END
           ), '') AS differs
    FROM published p
    JOIN pairs q USING ("row")
    JOIN detector_facts f USING (suite, detector)
    JOIN worlds a ON (a.suite, a.detector) = (p.suite, q.detector) AND a.training_set IS NULL
    LEFT JOIN worlds w ON (w.suite, w.detector, w.training_set) = (p.suite, q.detector, p.training_set)
    LEFT JOIN found o ON (o."row", o.detector) = (p."row", q.detector)
)
SELECT suite, generator_printed, generator, len(generators)::INTEGER AS n_generators, method, detector, "view",
       training_set_printed, training_set, condition_printed, condition, metric_printed, metric, value AS published,
       CASE WHEN comparable THEN found_value END AS ours,
       CASE WHEN comparable THEN found_value - value END AS difference,
       CASE WHEN comparable THEN found_seeds END AS n_seeds,
       -- Of a mean, those of the generator that has fewest.
       CASE WHEN comparable THEN found_real END AS n_real,
       CASE WHEN comparable THEN found_fake END AS n_fake,
       comparable,
       CASE WHEN NOT comparable THEN coalesce(differs, 'no run of ours has all of this at once') END AS why_not,
       doubt, note, source, "row"
FROM (SELECT *, differs IS NULL AND found_value IS NOT NULL AS comparable FROM judged)
ORDER BY suite, "row", detector
