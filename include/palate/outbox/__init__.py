"""What waits to be published, entered where it changes."""
