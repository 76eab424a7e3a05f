-- Say in which form the headers of a message are kept.
COMMENT ON COLUMN stg.order_events.headers IS
'A JSON list of [name, value in base64 or null]; null if there are none. A name that '
'is not UTF-8, or has a NUL, has U+FFFD where it is wrong, and is in base64 itself as '
'a third element.';
