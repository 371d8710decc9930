"""A search as it is followed while it goes on.

    events    what happens in a study, read from its records
    summary   what a study holds now: trials with estimates, the winner with its odds
    streams   both, sent to everybody who watches a search

Data flow: the records of a study become events, and end the summary of before. Streams wake, and send the
events that their readers do not have, and now and then a sum of it all.
"""
