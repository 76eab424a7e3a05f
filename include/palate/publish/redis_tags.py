"""The tags in Redis, as the app reads them: one key per guest, the newest state only.

``tags:<guest>`` is a JSON list, sorted by code point; a guest without tags has no key.
Another key has the version, and an older state is not written: two publishers, or one
that slept, can't overwrite a new state with an old one.
"""

import logging
from collections.abc import Sequence
from functools import cache
from itertools import count

import redis
from redis.crc import key_slot

from palate.clients import redis_connection
from palate.outbox import tag_states

log = logging.getLogger(__name__)

# In one round trip; each guest's state is written separately.
_PIPELINED = 500

# KEYS: the tags, their version. ARGV: the version, the list. The same version is
# written again: that repairs a key that somebody removed. A version that is not a
# number counts as none.
_SET_TAGS = """
local known = tonumber(redis.pcall('GET', KEYS[2]))
if known and known > tonumber(ARGV[1]) then
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
    """Return the key of a guest's tags (contract, section 4)."""
    return f"tags:{guest_id}"


def version_key(guest_id: str) -> str:
    """Return the key of the version of those tags.

    The braces put both keys into one slot of a Redis cluster, and no guest's id can
    turn it into a key of tags.
    """
    key = tags_key(guest_id)
    if "{" in key or "}" in key:
        # A cluster hashes only what is between the first braces.
        return f"palate-version:{{{_number_for(key_slot(key.encode()))}}}:{key}"
    return f"palate-version:{{{key}}}"


@cache
def _number_for(slot: int) -> int:
    """Return the smallest number that belongs to a slot."""
    return next(n for n in count() if key_slot(str(n).encode()) == slot)


def write(client: redis_connection.Client, states: Sequence[tag_states.State]) -> int:
    """Write the states that are not older than those in Redis; return how many.

    :raises redis.RedisError: if Redis refuses them; writing all again is safe
    """
    written = 0
    for start in range(0, len(states), _PIPELINED):
        with client.pipeline(transaction=False) as pipeline:
            for state in states[start : start + _PIPELINED]:
                keys = [tags_key(state.guest_id), version_key(state.guest_id)]
                args: list[int | str] = [state.version, tag_states.as_json(state.names)]
                # By its text: a cluster's pipeline has no EVALSHA.
                pipeline.execute_command("EVAL", _SET_TAGS, len(keys), *keys, *args)
            # Otherwise the error's text would have the command: a guest and the tags.
            answers = pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        written += sum(answers)
    return written


def warn_of_eviction(client: redis_connection.Client) -> None:
    """Warn if Redis may evict keys without a time to live: versions too."""
    try:
        policies = _memory_policies(client)
    except redis.exceptions.NoPermissionError:
        return  # writing needs no INFO
    evicting = sorted(policy for policy in policies if policy.startswith("allkeys"))
    if evicting:
        log.warning(
            "Redis evicts any key when it is full (maxmemory-policy %s): guests would "
            "lose their tags, and their versions. Set it to noeviction.",
            ", ".join(evicting),
        )


def _memory_policies(client: redis_connection.Client) -> set[str]:
    if isinstance(client, redis.RedisCluster):
        primaries = redis.RedisCluster.PRIMARIES
        nodes = client.info("memory", target_nodes=primaries)
        found = nodes.values() if "maxmemory_policy" not in nodes else [nodes]
    else:
        found = [client.info("memory")]
    return {str(one.get("maxmemory_policy", "")) for one in found}
