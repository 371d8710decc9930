"""Systematic search for hyperparameters. The flow, and who owns each step:

    __main__     reads what was typed
    tasks        finds the task, its space and its data                       task file, .npz
    study        opens or resumes the study, one journal file a study         mlruns/studies/
                 (crossing: which of its trials no longer count; fingerprint: of what they were trained by;
                 sharing, postgres: a study in a database, which several coordinators may search)
    strategy     says what to try next, and when a trial is hopeless
    coordinator  ask -> trainer -> report -> prune -> tell, until it is done
    trainers     train, here, in other processes or on other machines
    log          shows every trial in MLflow; live: while the search goes on  mlflow.db, mlruns/
    audit        says whether study and log are true and agree
    doctor       repairs what is not, after a backup                          mlruns/backups/
    progress     shows the search in the terminal
    winner       says which of the best to train again, and which one wins
    report       says what was learned                                        mlruns/reports/
    freeze       writes it down as one script                                 models/frozen/
    handin       packs all of a study into one zip, which check_handin believes nothing of

Data flows down this list, and nothing flows back but each trial's result, into its study. The
study is the truth, the MLflow log its projection: it can be made again from the studies alone.

From Python:

    from objectives import regression
    from search import coordinator, winner
    from search.study.study import Study
    from search.executors.inline import Inline

    with Study.open(regression, "my-study") as study, Inline(study) as trainers:
        coordinator.search(study, trainers, trials=10)
        coordinator.confirm(study, trainers, repeats=5)
        print(winner.choose(study))
"""
