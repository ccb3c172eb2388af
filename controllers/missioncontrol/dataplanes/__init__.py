"""DataPlanes: credentials, members that come and go, and what is shown of them."""
