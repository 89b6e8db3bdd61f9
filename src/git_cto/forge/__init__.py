"""The forge (GitHub): what happened there, what is read from it and what is posted. Decides nothing."""
