"""The servers of a team on one host, in the foreground: PostgreSQL, and MLflow's server on it.

serve                 starts both, prints what to type on the other machines, and watches until a signal
database              PostgreSQL: its files, roles, passwords and access rules
supervised_process    a server process that is restarted when it ends, and that ends with this program

`serve` asks `database` and MLflow for a `Server` each: a description. A `SupervisedProcess` runs it.
"""
