#!/usr/bin/env python3
"""check_schema.py SCHEMA PAIRS: judges documents by a JSON schema. PAIRS is a file with a JSON array of
[pointer, document]; the pointer names the part of SCHEMA to judge by ("" for all of it). Prints a JSON array:
null for a document that fits, else what is wrong. Ends with 77 when python3-jsonschema is not installed."""
import json
import sys

try:
    import jsonschema
except ImportError:
    sys.exit(77)

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    pairs = json.load(file)


def validator(pointer):
    part = schema if not pointer else {**{k: schema[k] for k in ("$defs", "components") if k in schema},
                                       "$ref": "#" + pointer}
    jsonschema.Draft202012Validator.check_schema(part)
    return jsonschema.Draft202012Validator(part)


validators = {pointer: validator(pointer) for pointer, _ in pairs}
verdicts = []
for pointer, document in pairs:
    error = next(validators[pointer].iter_errors(document), None)
    verdicts.append(None if error is None else f"{error.json_path}: {error.message[:200]}")
print(json.dumps(verdicts))
