"""The configurations that a search draws: from where, and which of them train together.

first_draws   the first ones, which are fixed: the winners of other tasks, the course's order
sampler       the others, at random or by TPE, and the seed of each draw
grouping      which trials train together, as networks of their shape learn faster in a group
"""
