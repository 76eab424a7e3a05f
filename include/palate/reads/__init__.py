"""What people see of it all: read models without any write."""
