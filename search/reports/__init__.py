"""What a study teaches, as text, as a page and as a table of data.

    evidence      the estimate of each trial's final score, with its standard error
    sentences     what mattered and how, whether depth was worth it, what to do next
    report        all of it as one Report: question, answer, winner, effects, advice
    page          a Report as one HTML file (templates/report.html); the plots are in it
    plots         the figures of that page
    interactions  those of its figures that show several hyperparameters
    tables        a Report, a winner, or all studies as tables for the terminal
    compare       two studies side by side
    trials_table  all trials as a pandas DataFrame, and that as CSV

A study's trials become evidence, unfinished ones too. `sentences` turns evidence into words with numbers,
and `plots` into figures. `report` collects the sentences, and `page` and `tables` show them. Nothing here
writes to a study.
"""
