"""What a team needs on one host, in the foreground: a PostgreSQL, and MLflow's server on it.

serve       starts both, and says what is to be typed on the other machines
database    the PostgreSQL: its files, roles, passwords, and who is let in
part        a server that is started again when it ends
"""
