-- The watch, which raises all alarms, has run lately, if it ever has.
{#- #fail #}
SELECT w.looked_dt
FROM ops.watch AS w
WHERE w.looked_dt < %(asleep_dt)s
