"""What the pages of every app have in common: who sees what, audit, looks."""
