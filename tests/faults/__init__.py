"""The fault harness: tries to break "staged exactly once, and marts that follow".

Real worker processes, a real broker, a real PostgreSQL, a real Redis, and the
independent model of ``tests/model`` to compare with.

| module | holds |
|---|---|
| ``points`` | where a worker can be killed or stopped: at every statement |
| ``worker`` | a process that runs stages in a loop |
| ``planted`` | bugs, put into a worker to prove that the harness sees them |
| ``traffic`` | seeded orders, odd messages, dictionary entries and rules for tags |
| ``ground`` | one warehouse under test: sends, starts workers, remembers what it sent |
| ``check`` | the one checker after every scenario |
| ``app`` | its part for what was published: the topic of tags, Redis |
| ``verdict`` | what it says: lost, doubled, wrong |
| ``table`` | the table of all scenarios, for the terminal and docs/reliability.md |
"""
