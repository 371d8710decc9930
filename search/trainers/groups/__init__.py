"""Networks of one shape that take their steps together: small ones spend most of their time in calls.

    descent     what a training hands over: the steps that it is to take
    together    takes the steps of several trainings at once if their networks form a group; measures its gain
    group       several networks of one shape, which take each step as one
    conditions  of a group: whether networks may form one, and what must not change meanwhile
    stacked     networks as one network, whose parameters have a leading axis of networks
    losses      the losses of a group's networks, computed for many steps at once
    recorded    the steps of a group on a GPU, recorded once and then repeated

A task calls `descend` of `objectives/descent.py` for its steps. Its training hands that call over: alone it
takes the steps itself; among others `Together` takes those of all. The task cannot tell.
"""
