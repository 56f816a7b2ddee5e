"""Sign-in by OpenID Connect: the provider says who it is, the cluster whether that account may come in.

Read it in this order: `settings` (what the site says), `discovery` (what the provider says of itself),
`idtoken` (what it says of a person), `identity` (which account that is), `authenticator` and `handlers`
(JupyterHub's ends).
"""
