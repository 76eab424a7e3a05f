-- Make the table of the keys of a batch.
CREATE TEMP TABLE incoming_keys (
    {%- for key, type in key_types.items() %}
    {{ key }} {{ type }} NOT NULL{{ "," if not loop.last }}
    {%- endfor %}
) ON COMMIT DROP
