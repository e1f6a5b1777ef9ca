"""How messages come to us: nginx by configuration, rotation into the inbox, the block list, the page's side."""
