-- Mean distance between score and share of fakes over bins of equal width, each with the weight of its pictures; a bin holds its lower end, the last one both
-- Sorted by score a bin is a slice that ends where the counts of the bins so far add up to; the list of one gives the aggregates names.
(label, score, bins) AS list_transform(
    [{'gaps': list(label - score ORDER BY score, label) FILTER (score IS NOT NULL AND label IS NOT NULL),
      'counts': map_values(histogram(least(floor(score * bins), bins - 1)) FILTER (label IS NOT NULL))}],
    lambda sorted: list_sum(list_transform(sorted.counts, lambda count, bin: abs(list_sum(
        sorted.gaps[list_sum(sorted.counts[:bin]) - count + 1 : list_sum(sorted.counts[:bin])]
    )))) / len(sorted.gaps)
)[1]
