"""What is wrong in an inventory, before anything changes: each mistake with its file, its line and the fix.

Runs on the controller only: `lookup_plugins/inventory_mistakes.py` reads the inventory through Ansible and
hands it over as plain data (:class:`~berth.inventory.site.Site`). No machine of the site gets this package.
"""
