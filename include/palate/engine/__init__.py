"""What every stage is built on: positions, locks, batches, the ledger."""
