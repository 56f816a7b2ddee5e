#!/bin/bash
# Records what a real Slurm answers. Runs as root inside a throw-away container; README.md says how.
# Usage: record.sh OUTPUT_DIRECTORY [accounts]      accounts: only what sacctmgr says
set -euo pipefail
out=$1
mkdir -p "$out" /run/munge /run/mysqld /var/spool/slurmd.gpu1 /var/spool/slurmd.gpu2 /var/spool/slurmctld /var/log/slurm
chown munge /run/munge && chown mysql /run/mysqld && chown -R slurm /var/spool/slurmctld /var/log/slurm

say() { printf '\n== %s\n' "$*"; }
until_true() { # at most a minute, with the question in the error
  for _ in $(seq 120); do if eval "$1"; then return; fi; sleep 0.5; done
  echo "never became true: $1" >&2; tail -n 20 /var/log/slurm/*.log >&2; exit 1
}

say "Users, devices, cgroups"
groupadd --force cluster
for user in alice bob carol; do id -u $user >/dev/null 2>&1 || useradd --create-home --groups cluster $user; done
for minor in 0 1; do [ -e /dev/nvidia$minor ] || mknod -m 666 /dev/nvidia$minor c 4 $((60 + minor)); done
for name in gpu1 gpu2 gpu3 cpu1; do grep -q " $name\$" /etc/hosts || echo "127.0.0.1 $name" >>/etc/hosts; done
[ "${2:-}" = accounts ] || mount -o remount,rw /sys/fs/cgroup
[ "${2:-}" = accounts ] || for name in memory cpuset devices freezer cpu cpuacct; do mount -o remount,bind,rw /sys/fs/cgroup/$name; done

say "Configuration"
cat >/etc/slurm/slurm.conf <<CONF
ClusterName=record
SlurmctldHost=$(hostname)
SlurmUser=slurm
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd.%n
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.%n.log
SlurmdPidFile=/run/slurmd.%n.pid
SlurmctldPidFile=/run/slurmctld.pid
SlurmdParameters=config_overrides
SlurmdTimeout=10
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=5
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStorageTRES=gres/gpu,gres/gpu:a100
AccountingStorageEnforce=associations,limits,qos
GresTypes=gpu
NodeName=gpu1 NodeHostname=$(hostname) Port=17001 CPUs=4 RealMemory=4000 Gres=gpu:a100:2 Feature=fast
NodeName=gpu2 NodeHostname=$(hostname) Port=17002 CPUs=4 RealMemory=4000 Gres=gpu:a100:2 Feature=fast
NodeName=gpu3 Port=17003 CPUs=4 RealMemory=4000 Gres=gpu:2
NodeName=cpu1 Port=17004 CPUs=8 RealMemory=8000
PartitionName=interactive Nodes=gpu[1-3],cpu1 Default=YES OverSubscribe=FORCE:5 MaxTime=08:00:00 DefaultTime=00:30:00 DefMemPerNode=300
PartitionName=batch Nodes=cpu1 MaxTime=UNLIMITED State=UP
PartitionName=single Nodes=gpu1 OverSubscribe=EXCLUSIVE Hidden=YES State=DRAIN
CONF
cat >/etc/slurm/gres.conf <<CONF
NodeName=gpu[1-2] Name=gpu Type=a100 File=/dev/nvidia[0-1]
NodeName=gpu3 Name=gpu Count=2
CONF
cat >/etc/slurm/cgroup.conf <<CONF
CgroupPlugin=cgroup/v1
ConstrainDevices=yes
ConstrainRAMSpace=yes
ConstrainSwapSpace=yes
AllowedSwapSpace=0
CONF
cat >/etc/slurm/slurmdbd.conf <<CONF
DbdHost=localhost
SlurmUser=slurm
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
LogFile=/var/log/slurm/slurmdbd.log
PidFile=/run/slurmdbd.pid
CONF
chown slurm /etc/slurm/slurmdbd.conf && chmod 600 /etc/slurm/slurmdbd.conf

say "Daemons"
ulimit -n 8192
[ -e /etc/munge/munge.key ] || mungekey --create
runuser -u munge -- munged --force
mariadbd-safe --no-watch >/dev/null 2>&1 &
until_true 'mariadb -e "select 1" >/dev/null 2>&1'
mariadb -e "create database slurm_acct; create user slurm@localhost identified by 'slurm'; grant all on slurm_acct.* to slurm@localhost"
# the daemons run as root, so that none needs a directory of its own under /run
slurmdbd
until_true 'sacctmgr -n show cluster >/dev/null 2>&1'
sacctmgr -i add cluster record >/dev/null
sacctmgr -i add account proj_a,proj_b description=record organization=record >/dev/null
sacctmgr -i add account sub_b parent=proj_b description=record organization=record >/dev/null
sacctmgr -i add user alice account=proj_a >/dev/null
sacctmgr -i add user alice account=proj_b partition=interactive >/dev/null
sacctmgr -i add user bob account=proj_b >/dev/null
sacctmgr -i add user bob account=sub_b >/dev/null
slurmctld
until_true 'scontrol ping | grep -q UP'

say "Limits"
# slurmctld has made gres/gpu known to the accounting
until_true 'sacctmgr -nP show tres format=type,name | grep -qx "gres|gpu"'
sacctmgr -i add qos limited set maxwall=04:00:00 maxtres=cpu=4,mem=64G,gres/gpu=2 maxtrespernode=cpu=3 \
  maxtresperuser=cpu=32,gres/gpu=3,mem=1500M maxjobsperuser=2 maxsubmitjobsperuser=10 grptres=cpu=100 \
  mintres=cpu=1 limitfactor=2 flags=DenyOnLimit,OverPartQOS >/dev/null
sacctmgr -i add qos roomy set flags=PartitionTimeLimit >/dev/null
sacctmgr -i modify account proj_b set grptres=gres/gpu=4 maxwall=1-00:00:00 >/dev/null
sacctmgr -i modify account sub_b set qos+=limited >/dev/null
sacctmgr -i modify user bob where account=sub_b set \
  maxwall=02:00:00 maxtres=cpu=2,mem=2G maxjobs=5 maxsubmit=6 grptres=gres/gpu=6 defaultqos=limited >/dev/null
associations() {
  columns=user,account,partition,defaultqos,qos,parentname,maxwall,maxtres,maxtrespernode,grptres,maxjobs,maxsubmit
  sacctmgr -nP show assoc format=$columns >"$out/associations.txt"
  columns=name,flags,maxwall,maxtres,maxtrespernode,maxtrespu,maxtrespa,grptres,mintres,maxjobspu,maxsubmitpu,limitfactor
  sacctmgr -nP show qos format=$columns >"$out/qos.txt"
  sacctmgr -nP show user format=user,defaultaccount >"$out/users.txt"
}
if [ "${2:-}" = accounts ]; then associations; exit; fi
slurmd -N gpu1 && slurmd -N gpu2
until_true '[ "$(sinfo -h -N -n gpu1,gpu2 -p interactive -t idle -o %N | wc -l)" = 2 ]'
scontrol update nodename=gpu3 state=drain reason='fan broken'

say "Reservations"
scontrol create reservation reservationname=course accounts=proj_b nodes=gpu2 starttime=now duration=08:00:00 flags=overlap >/dev/null
scontrol create reservation reservationname=future users=bob accounts=proj_b partitionname=interactive nodes=gpu1 starttime=now+20days duration=60 >/dev/null
scontrol create reservation reservationname=denied users=-bob nodes=gpu1 starttime=now+21days duration=60 >/dev/null
scontrol create reservation reservationname=noproj accounts=-proj_a nodes=gpu1 starttime=now+22days duration=60 >/dev/null
scontrol create reservation reservationname=grouped groups=cluster nodes=gpu1 starttime=now+23days duration=60 >/dev/null
scontrol create reservation reservationname=repair users=root nodes=cpu1 starttime=now duration=UNLIMITED flags=maint,ignore_jobs >/dev/null

say "Jobs"
job() { # job USER SCRIPT SBATCH_OPTIONS…: prints the job's id
  local user=$1 script=$2; shift 2
  runuser -u "$user" -- sbatch --parsable --chdir=/tmp --output=/dev/null -n1 -N1 --time=30 "$@" --wrap="$script"
}
eat='python3 -c "b = bytearray(10**9)"'
job alice true --job-name=done
job alice 'exit 3' --job-name=failed
job alice "$eat" --job-name=memory
job alice 'kill -TERM $$' --job-name=signalled
timeout=$(job alice 'sleep 600' --job-name=timeout --time=1)
cancelled=$(job alice 'sleep 600' --job-name=cancelled)
requeued=$(job alice 'sleep 600' --job-name=requeued --requeue)
sleep 20 # the four short ones end, the memory is counted
scancel "$cancelled"
scontrol requeue "$requeued"
job alice 'sleep 600' --job-name=berth-0123456789abcdef0123456789abcdef -c2 --mem=800M --gres=gpu:a100:1
job bob 'sleep 600' --job-name=reserved -A proj_b --reservation=course --gres=gpu:2 --mem=1G
job bob 'sleep 600' --job-name=percpu -c3 --mem-per-cpu=200M
suspended=$(job bob 'sleep 600' --job-name=suspended)
until_true '[ "$(squeue -h -j '"$suspended"' -o %T)" = RUNNING ]'
scontrol suspend "$suspended"
# what is frozen cannot be killed: without this, the engine cannot remove the container
trap 'scontrol resume "$suspended"; scancel --user=alice; scancel --user=bob' EXIT
job bob 'sleep 600' --job-name=gpus --gpus=1 -A sub_b
job alice 'sleep 600' --job-name=tasks --array=7-8 --mem=100M
job alice 'sleep 600' --job-name=wants_gpus --gres=gpu:2 --time=2:00:00
job alice 'sleep 600' --job-name=wants_memory --mem=3900M
job alice 'sleep 600' --job-name=list --array=1-4 --mem=3800M
job alice 'sleep 600' --job-name=held --hold
job alice 'sleep 600' --job-name=later --begin=now+2hours
job alice 'sleep 600' --job-name=after --dependency=afterok:"$suspended"
job bob 'sleep 600' --job-name=ahead --reservation=future -A proj_b
until_true '[ "$(sacct -nXP -j '"$timeout"' -o state)" = TIMEOUT ] || ! sleep 2'
sleep 8 # cpu1 is found dead, the scheduler's estimates are there

say "Records"
old=$([[ $(sinfo --version) == *" 22."* ]] && echo yes || echo no)
record() { # record FILE COMMAND…: keeps what the command prints, whatever its status
  local file=$1; shift
  "$@" >"$out/$file" 2>"$out/$file.stderr" || echo "status $? of $*: $(cat "$out/$file.stderr")"
  [[ $file != *.json ]] || python3 - "$out/$file" <<'PYTHON'
"""Write one record on each line. What tells of the recording machine is left out; no value is changed."""
import json, sys
def trimmed(record):
    return {key: value for key, value in record.items() if key != "operating_system"}
document = json.load(open(sys.argv[1]), object_hook=trimmed)
with open(sys.argv[1], "w") as file:
    parts = []
    for key, value in document.items():
        records = isinstance(value, list) and value
        text = "[\n" + ",\n".join(map(json.dumps, value)) + "\n]" if records else json.dumps(value)
        parts.append(json.dumps(key) + ": " + text)
    file.write("{\n" + ",\n".join(parts) + "\n}\n")
PYTHON
}
if [ $old = yes ]; then # scontrol has no --json before Slurm 23.02
  record nodes.json sinfo --json
  # as berth.slurm.answers.client does; for sacct, the variable would break --starttime
  record reservations.txt env SLURM_TIME_FORMAT=%s scontrol --all --oneliner show reservation
else
  record nodes.json scontrol show node --json
  record reservations.json scontrol --all show reservation --json
  record job.json scontrol show job "$cancelled" --json
fi
# berth.slurm.answers.commands asks for these as text in every version
record partitions.txt scontrol --all --oneliner show partition
record squeue.json squeue --states=all --json
record sacct.json sacct --allusers --json --starttime=now-1hours
associations
record version.txt sinfo --version
record config.txt scontrol show config
# what Slurm's own hostlist functions say, for the tables of test_hostlist.py
for list in 'n[1-3]' 'n[09-11]' 'n[1,003,01-02]' 'r[1-2]n[01-02]' 'a,b[2-1]' 'n[1-2,2]' 'n[8-11]' 'n[1-2]-ib,x'; do
  printf '%s\t%s\n' "$list" "$(scontrol show hostnames "$list" 2>&1 | paste -sd ' ')"
done >"$out/hostnames.txt"
for list in gpu01,gpu02,gpu1,gpu003 n09,n10,n011 node1,node2,node2 n1,n2,n10 login,gpu2,gpu1; do
  printf '%s\t%s\n' "$list" "$(scontrol show hostlistsorted "$list" 2>&1)"
done >"$out/hostlists.txt"

say "What is left when there are no reservations, and when the controller is away"
scontrol resume "$suspended"
scancel --user=alice; scancel --user=bob
until_true '[ -z "$(squeue -h)" ]'
for name in course future denied noproj grouped repair; do scontrol delete reservation=$name; done
if [ $old = yes ]; then record no-reservations.txt scontrol --all --oneliner show reservation; fi
trap - EXIT
kill "$(cat /run/slurmctld.pid)"
until_true '! scontrol ping | grep -q UP'
if [ $old = yes ]; then # it says success, and gives a document with errors
  record away-squeue.json squeue --json
  record away-nodes.json sinfo --json
else
  record away.txt bash -c 'squeue --json 2>&1'
fi
find "$out" -size 0 -delete
say Done
