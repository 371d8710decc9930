"""A submission: a study in one zip, which anyone can check offline. Its commands call it a hand-in.

pack          writes a study's zip, once it passes its own check
submission    reads a zip, which may be a stranger's, and the study in it
figures       the figures of a study, for the writer and for the check
check         computes everything again and compares
rerun         the last check: trains the winner until its first report
first_epoch   runs a script until its first report, in a clean interpreter
"""
