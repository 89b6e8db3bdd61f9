"""What the verbs do: planning, tasks, verifying, reviewing, gating. Plain functions over a `Workspace`."""
