"""A stand-in for the order service that knows what the marts must become.

It shares nothing with the pipeline but the settings and the errors::

    world, scenario, truth = World(seed=7), Scenario.demo(), Truth()
    for entry in initial_entries(world, scenario, until):
        ...  # write entry.to_json() to Redis under entry.id
        truth.add_entry(entry)
    for event in generate(world, scenario, orders=50_000, until=until):
        if isinstance(event, Arrival):
            ...  # an entry turns up: write it too
            truth.add_entry(event.entry)
        else:
            ...  # send event.value to event.topic: the broker returns its position
            truth.add(event, Position(topic, partition, offset), broker_ms)
    truth.product_counters(), truth.category_counters(), truth.rejected()
    held_tags(rules, truth.product_counters(), truth.category_counters())
"""

from palate.simulate.cli import app

__all__ = ["app"]
