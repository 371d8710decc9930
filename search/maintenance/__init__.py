"""Whether studies and log are true, and how they are repaired and copied.

audit    ten invariants of a study, its log and its frozen script; changes nothing
doctor   repairs what can be repaired, after a backup
copy     takes a study and its log to another store
"""
