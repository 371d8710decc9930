"""What to try next, which trials resume, when to stop, and which configuration wins.

    strategy        Strategy: starts trials of a study, pauses and resumes them
    assessment      what a study amounts to now, what more time promises, and whether the search is over
    knowledge       what the trials of a study taught so far: rungs, estimates, costs
    estimates       the estimate of each configuration's final score over seeds
    allocation      what the next seconds of a trainer are worth, and whether to go on at all
    draws           where the next configuration is drawn from, and what trains beside it
    halving         the rungs at which trials pause: successive halving
    winner          the candidates, and the winner among those that fresh seeds confirm
    explain         a search in words: why a configuration was tried, its score, why the search ended

A Strategy reads a study into its knowledge, starts the trial that gains most per second, and learns from each
report. All decisions, and all that is shown, rest on the posterior's estimates.
"""
