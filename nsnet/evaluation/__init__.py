"""From scores to numbers with intervals."""
