"""What a study teaches: evidence -> lessons, advice, plots -> report; and two studies compared."""
