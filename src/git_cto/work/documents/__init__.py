"""The JSON documents that commands print with `--json`: an API. Their schemas are generated from here (docs/schemas).

A module for each topic, and in it each document with the function that makes it from values: a verb loads only what it
prints. Each document says which it is in `schema`. A plan and a review have the keys that Codex answered with at the
top level; everything git-cto adds stands beside them.
"""
