"""What becomes of a winner: its score on the test data, and the script that trains it again.

    evaluation   trains a confirmed winner once more and scores it on the test data
    freezing     writes a winner as a frozen script and proves it, or flags the script if its trial is void

`search.strategy.winner` chooses the winner; `search.frozen_script` makes the text of a script.
"""
