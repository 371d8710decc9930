"""Where training runs, behind one interface: in this process, in processes of this machine, on a cluster.

    executor    the interfaces: Executor, Listener (the coordinator), TrainingSource (the study)
    inline      one trainer in this process, for debugging and tests
    pool        trainers that are elsewhere: places trials, replaces trainers that end
    processes   a pool of warm processes of this machine
    ray         a pool of actors on the machines of a Ray cluster
    worker      what runs in such a process or actor: a Trainer, driven by messages
    silence     tells which trials train in silence for so long that their trainers hang

The coordinator calls `start(number, config)` with plain values, then `listen(listener, seconds)`. The pool
sends the trial to a worker, whose `search.trainers.trainer.Trainer` builds the Config and trains. Each epoch
comes back as a report, the listener returns a verdict, and the verdict travels to the worker.

Only `inline` imports torch into the coordinator's process.
"""
