"""The numbers of the evaluation: metrics under resampling, their intervals, and means over seeds and generators."""
