-- Make the table of a batch's keys, with the types that the mart gives them.
{#- makes: touched_keys #}
CREATE TEMP TABLE touched_keys (
    {%- for key, type in key_types.items() %}
    {{ key }} {{ type }} NOT NULL{{ "," if not loop.last }}
    {%- endfor %}
) ON COMMIT DROP
