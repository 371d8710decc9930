"""`python -m search COMMAND --name value`: see `search.cli.commands`."""

if __name__ == "__main__":
    from search.cli.commands import run

    run()
