#!/usr/bin/env python3
"""check_schema.py SCHEMA DOCUMENTS: which of the documents (a JSON array) fit the schema, as a JSON array
of booleans. With a third argument, a JSON pointer, the schema is that part of SCHEMA. Ends with 77 when
python3-jsonschema is not installed."""
import json
import sys

try:
    import jsonschema
except ImportError:
    sys.exit(77)

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    documents = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
if len(sys.argv) > 3:
    schema = {"$ref": "#" + sys.argv[3], **{k: v for k, v in schema.items() if k in ("$defs", "components")}}
validator = jsonschema.Draft202012Validator(schema)
print(json.dumps([validator.is_valid(document) for document in documents]))
