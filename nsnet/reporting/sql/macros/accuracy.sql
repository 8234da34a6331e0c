-- Share of pictures called right, where a score at or above the threshold calls a picture fake; of reals alone it is R.Acc, of fakes alone F.Acc
(label, score, threshold) AS avg(((score >= threshold) = (label = 1))::INTEGER)
