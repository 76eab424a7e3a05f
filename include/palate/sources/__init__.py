"""What a source's folder says: which messages are accepted."""
