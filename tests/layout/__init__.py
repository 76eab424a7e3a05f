"""What is read instead of run: the library's layout, and its docs."""
