SELECT family, n AS generators, number(nsnet) AS "nsnet-lora", number(penalty) AS "nsnet-lora-penalty",
       number(frozen) AS "frozen, cross-modal", number(cnn) AS "cnn-control", best AS "generators above 0.6 for a detector on CLIP",
       number(least) AS "hardest, best of CLIP", hardest AS "which"
FROM (
    SELECT family, count(*) AS n, avg(nsnet) AS nsnet, avg(penalty) AS penalty, avg(frozen) AS frozen, avg(cnn) AS cnn,
           count(*) FILTER (clip > 0.6) AS best, min(clip) AS least, arg_min(generator, clip) AS hardest
    FROM (
        SELECT family, generator,
               max(value) FILTER (detector = 'nsnet-lora') AS nsnet,
               max(value) FILTER (detector = 'nsnet-lora-penalty') AS penalty,
               max(value) FILTER (detector = 'univfd+mosaic+cross-modal') AS frozen,
               max(value) FILTER (detector = 'cnn-control') AS cnn,
               max(value) FILTER (detector <> 'cnn-control') AS clip
        FROM 'full/tables/per_generator_biased.csv'
        WHERE metric = 'acc' AND NOT in_domain
        GROUP BY family, generator)
    GROUP BY family)
ORDER BY penalty
