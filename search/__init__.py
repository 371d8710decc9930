"""Systematic search for hyperparameters. The flow, and who owns each step:

    __main__     reads what was typed
    tasks        finds the task, its space and its data                       task file, .npz
    study        opens or resumes the study, one journal file a study         mlruns/studies/
    strategy     says what to try next, and when a trial is hopeless
    coordinator  ask -> trainer -> report -> prune -> tell, until it is done
    trainers     train, here or in other processes
    log          shows every trial in MLflow                                  mlflow.db, mlruns/
    progress     shows the search in the terminal
    winner       names the best configuration
    freeze       writes it down as one script                                 models/frozen/
    handin       packs all of a study into one zip, which check_handin believes nothing of

Data flows down this list, and nothing flows back but each trial's result, into its study. The
study is the truth, the MLflow log its projection: it can be made again from the studies alone.

From Python:

    from objectives import regression
    from search.coordinator import search
    from search.study import Study
    from search.trainers.inline import Inline

    study = Study.open(regression, "my-study")
    search(study, Inline(study), trials=10)
    print(study.best())
"""
