"""The ledger: records as lines in git notes, exchanged without losing any, and the artifacts kept beside them."""
