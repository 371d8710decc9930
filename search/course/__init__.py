"""The course's room: the frozen winners as files for its own grader (`bundle`), and graded here (`grade`)."""
