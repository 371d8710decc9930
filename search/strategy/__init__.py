"""What to try next, which trials resume, and which configuration wins.

    strategy     Strategy: asks for trials of a study, pauses and resumes them, trains finalists again
    sampler      where the next configuration is drawn from
    warm_start   what won other tasks, to begin with
    halving      which paused trials resume: successive halving
    winner       the finalists, and the winner among those that were trained again
    explain      why a configuration was tried, and why it ended, in words
    describe     what a winner's mean is worth, in words

A Strategy reads a study, starts a trial in it, and learns from each report how far the trial is.
"""
