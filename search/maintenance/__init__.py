"""Check that studies and log are whole and agree; repair and copy them.

study_and_log  reads a study and its log, to be compared
audit          checks ten invariants of a study, its log and its frozen script; changes nothing
script_checks  the audit's checks of the frozen script
doctor         repairs what can be repaired, after a backup
voiding        makes trials void, or lets them count again, wherever they are shown
copy           copies a study and its log to another store
"""
