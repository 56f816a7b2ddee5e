"""The users' guide, made of what the site says of itself: a page at the hub, and a file."""
