"""The forms of manual runs, and the tasks that read them."""
