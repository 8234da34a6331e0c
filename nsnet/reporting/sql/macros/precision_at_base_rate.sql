-- Share of fakes among the pictures called fake where the share base_rate of all pictures is fake; null if a class is missing or none is called fake
(label, score, threshold, base_rate) AS
    base_rate * avg((score >= threshold)::INTEGER) FILTER (label = 1)
    / nullif(base_rate * avg((score >= threshold)::INTEGER) FILTER (label = 1)
             + (1 - base_rate) * avg((score >= threshold)::INTEGER) FILTER (label = 0), 0)
