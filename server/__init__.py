"""What the coordinator runs: rounds, aggregation, the result and its report."""
