"""Slurm's reasons that prove that a submission was refused.

`sbatch` prints one line for everything that can go wrong with the request that it sends: "Batch job
submission failed: <reason>". A reason below comes from the controller, which sends it only for a job that it
did not keep; the last one of `AWAY` means that there was no connection to send anything over. Every other
reason (time-outs, lost or unreadable replies, errors of the operating system, reasons of a later Slurm) may
hide a queued job, so it is not listed. Read in the sources of Slurm 22.05 to 26.11: src/sbatch/sbatch.c,
src/api/submit.c, src/common/slurm_protocol_api.c, src/common/slurm_errno.c, src/slurmctld/proc_req.c.
"""

from __future__ import annotations

REFUSALS = frozenset(
    """\
Unspecified error
Invalid partition name specified
No partition specified or system default partition
Access/permission denied
User's group not permitted to use this partition
Requested nodes not in this partition
More processors requested than permitted
Requested more tasks than available processors
Node count specification invalid
Unable to create job record, try again
MaxJobCount limit reached
Job size specification needs to be provided
Job script not specified
Invalid user id
Invalid group id
Invalid user ID
Invalid group ID
User not found on host
Group ID not found on host
Unable to resolve user ID to user name
Unable to resolve group ID to group name
Pathname of a file, directory or other parameter too long
Requested node configuration is not available
Requested partition configuration not available now
Requested topology configuration is not available
Requested nodes are busy
Invalid node name specified
I/O error writing script/environment to file
Task distribution specification invalid
Task count specification invalid
Invalid feature specification
Requested operation not supported on this system
Requested operation is presently disabled
Job dependency problem
Licenses currently unavailable
Memory required by task is not available
Invalid account or account/partition combination specified
Invalid or unknown association
Invalid qos specification
Invalid wckey specification
Invalid license specification
Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)
Requested time limit is invalid (missing or exceeds some limit)
Time limit specification required, but not provided
Access denied to requested reservation
Requested reservation is invalid
Invalid time specified
Requested reservation is in use
Requested reservation not usable now
Required node not available (down, drained or reserved)
CPU count specification invalid
Required partition not available (inactive or drain)
Partition in DOWN state
Invalid generic resource (gres) specification
Invalid GRES specification (with and without type identification)
Requested GRES option unsupported by configured SelectType plugin
Duplicate generic resource (gres) specification
Requested account has breached requested QOS usage threshold
Slurm internal error, contact system administrator
Invalid mcs_label specified
System submissions disabled
Invalid Trackable RESource (TRES) specification
Job can not start due to maintenance reservation.
Environment is missing in job
Job cannot be submitted without the current working directory specified.
Multiple partition job request not supported when a partition is set in the association
RestrictedCoresPerGPU: Not enough unique cores per GPU
RestrictedCoresPerGPU: Missing core topology for GPUs
RestrictedCoresPerGPU: No GPUs configured on node
""".splitlines()
)

AWAY = frozenset(
    """\
Rate limit exceeded, please retry momentarily
Rate limit exceeded, please retry later
Slurm backup controller in standby mode
Unable to contact slurm controller (connect failure)
""".splitlines()
)
"""Nothing was kept here either, but Slurm refused nothing: it cannot be asked at the moment."""
