"""The course's side: grade the frozen winners as the course does, and write the files for its own grader.

    grade         the questions; load each frozen script, train it, check it, score it
    checks        the demands on each question beside a score
    scoring       the results of trainings: lines, points, the table
    backend       the message for a backend that matplotlib does not know
    pictures      a window, and a picture of each network while it trains
    dependencies  whether the libraries and a screen are there
    bundle        write the files of `files/` with the winners' values

`grade` loads a LoadedQuestion for each name, trains it and returns a QuestionResult for each seed.
`scoring` turns the results into points. `bundle` needs no training.
"""
