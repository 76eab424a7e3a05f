"""The forms of runs that are started by hand, and the tasks that read them."""
