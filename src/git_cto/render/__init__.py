"""Text for people, made from values. Nothing here reads, asks or decides."""
