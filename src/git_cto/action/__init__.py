"""What the action does on a runner: from an event to a gate that is open or closed, and what people see of it."""
