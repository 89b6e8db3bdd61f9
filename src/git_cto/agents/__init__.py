"""Agents: the programs that plan, review and do tasks, and how they are run as processes."""
