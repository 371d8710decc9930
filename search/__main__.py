"""`python -m search COMMAND --name value`: see `search.cli.app`."""

if __name__ == "__main__":
    from search.cli.app import run

    run()
