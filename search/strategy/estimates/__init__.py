"""The estimate of each configuration's final score over seeds: one posterior, which all decisions rest on.

    posterior   the estimates, from every epoch of every seed
    levels      scores as levels, and where an unfinished training will end

Each report of a trial goes into the posterior. It turns scores into levels, extrapolates those of unfinished
trainings, and shrinks each mean and each variance towards what all configurations have in common.
"""
