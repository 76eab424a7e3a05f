"""The tags in Redis, as the app reads them: one key per guest, the newest state only.

``tags:<guest>`` is a JSON list, sorted by code point; there is no key when there are no
tags. Which version it is stands beside it, and a state that is older than that is not
written: two publishers, or one that slept, can't put an old state over a new one.
"""

import logging
from collections.abc import Sequence

import redis

from palate.outbox import State, as_json

log = logging.getLogger(__name__)

# In one round trip; each guest's state is written by itself.
_PIPELINED = 500

# KEYS: the tags, their version. ARGV: the version, the list. The same version again is
# written again: that mends a key which somebody has removed.
_SET_TAGS = """
local known = redis.call('GET', KEYS[2])
if known and tonumber(known) > tonumber(ARGV[1]) then
    return 0
end
redis.call('SET', KEYS[2], ARGV[1])
if ARGV[2] == '[]' then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], ARGV[2])
end
return 1
"""


def tags_key(guest_id: str) -> str:
    """Return the key under which the app finds a guest's tags (contract, section 4)."""
    return f"tags:{guest_id}"


def version_key(guest_id: str) -> str:
    """Return the key of the version of those tags.

    The braces put both keys on one node of a Redis cluster, and no guest's id can make
    it a key of tags.
    """
    return f"palate-version:{{{tags_key(guest_id)}}}"


def write(client: "redis.Redis", states: Sequence[State]) -> int:
    """Write the states that are not older than what is there; return how many.

    :raises redis.RedisError: if Redis does not take them; to write all again is right
    """
    set_tags = client.register_script(_SET_TAGS)
    written = 0
    for start in range(0, len(states), _PIPELINED):
        with client.pipeline(transaction=False) as pipeline:
            for state in states[start : start + _PIPELINED]:
                keys = [tags_key(state.guest_id), version_key(state.guest_id)]
                args: list[int | str] = [state.version, as_json(state.names)]
                set_tags(keys=keys, args=args, client=pipeline)
            written += sum(pipeline.execute())
    return written


def warn_of_eviction(client: "redis.Redis") -> None:
    """Log a warning if Redis may drop keys that have no time to live: versions too."""
    try:
        policy = client.info("memory").get("maxmemory_policy", "")
    except redis.exceptions.NoPermissionError:
        return  # writing needs no INFO
    if str(policy).startswith("allkeys"):
        log.warning(
            "Redis evicts any key when it is full (maxmemory-policy %s): guests would "
            "lose their tags, and their versions. Set it to noeviction.",
            policy,
        )
