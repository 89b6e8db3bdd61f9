"""The repository: plain git, branches, and the change between a target and a head."""
