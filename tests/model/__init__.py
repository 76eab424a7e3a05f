"""An independent model of the contract: slow, obvious, and without a database.

It is written from the contract's text alone and shares no code with ``palate``, so
that the two can be compared.

| module | holds |
|---|---|
| ``history`` | what went in: messages with their positions, dictionary entries |
| ``jsonb`` | JSON exactly as strict as PostgreSQL's ``jsonb`` |
| ``fields`` | the types and ranges of section 6 |
| ``orders`` | one message: an accepted order, or the reasons to refuse it |
| ``dictionary`` | usable entries; a dish's name, and its category at a time |
| ``tags`` | who holds which tag, from counters and rules |
| ``tables`` | the tables and columns that section 4 names |
| ``oracle`` | everything section 4 asks for, from a history |
| ``compare`` | expected and actual tables, and a readable difference |
| ``render`` | JSON text in the spellings that mean the same |
| ``strategies`` | hypothesis strategies: small histories, and cuts into batches |

A property test draws a history and a cut, stages each batch, runs the stages, and
compares (``pools``, ``order_strategies`` and ``entry_strategies`` say what is drawn)::

    history = data.draw(histories()).on_topics({RAW_TOPIC: ..., ENRICHED_TOPIC: ...})
    for batch in data.draw(batches(history)):
        ...
    assert_equal(expected(history), actual(connection))
"""
