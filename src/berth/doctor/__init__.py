"""`berth doctor`: looks whether the service is as it must be, and says what to do where it is not.

`registry` lists the checks as data, `runner` runs them so that none can take another down, `report` prints
what was found. The rest are the checks, one module for each area. On compute nodes the session layer runs
this with the standard library only; what needs the hub's packages is imported by the checks that need it.
"""
