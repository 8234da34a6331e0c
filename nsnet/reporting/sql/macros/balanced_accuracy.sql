-- Mean of R.Acc and F.Acc, where a score at or above the threshold calls a picture fake; null if a class is missing
(label, score, threshold) AS
    (avg((score >= threshold)::INTEGER) FILTER (label = 1) + avg((score < threshold)::INTEGER) FILTER (label = 0)) / 2
