"""A study as one zip: packed here, read there as a stranger's, and checked.

pack          writes a study's zip, which has passed its own check
handed        the zip as it is read, and the figures that follow from its trials
check         what does not hold of such a zip; its script runs last
first_epoch   runs a script until its first report, in a clean interpreter
"""
