"""The gate: pure rules on policy, verdicts, rounds and whether a change may be merged. No input, no output."""
