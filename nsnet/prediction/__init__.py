"""One picture: a score, an interval and a decision from a trained detector; no labels are needed."""
