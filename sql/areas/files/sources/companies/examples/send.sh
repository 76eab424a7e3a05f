#!/bin/sh
# Send one company to the intake that INTAKE_URL names, with the token INTAKE_TOKEN.
curl --fail-with-body "$INTAKE_URL/import/companies" \
    --header "Authorization: Bearer $INTAKE_TOKEN" \
    --header "Content-Type: application/json" \
    --data-binary "@$(dirname "$0")/good_c.json"
