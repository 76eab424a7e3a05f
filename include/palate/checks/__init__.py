"""What must hold of the whole warehouse, asked every night."""
