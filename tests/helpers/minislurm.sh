#!/usr/bin/env bash
# A throw-away Slurm of several logical nodes on this host, for tests: no systemd, no cgroups, loopback only.
#   minislurm.sh start | stop | start-node N | crash-node N | stop-controller | start-controller
# Environment: MS_DIR (short: sockets live in it), MS_BASE_PORT, MS_NODES, MS_CPUS and MS_MEM (MB) of a node; further
# lines of slurm.conf in MS_MORE, further words for each of its nodes in MS_OF_NODES.
set -euo pipefail
D=${MS_DIR:?} BASE=${MS_BASE_PORT:?} N=${MS_NODES:-2} CPUS=${MS_CPUS:-2} MEM=${MS_MEM:-6000}
export SLURM_CONF=$D/slurm.conf
PATH=/usr/sbin:/sbin:$PATH

write_conf() {
    mkdir -p "$D"/{munge,state,spool,log}
    (umask 077; head -c 128 /dev/urandom > "$D/munge/munge.key")
    chmod 700 "$D/munge"
    cat > "$SLURM_CONF" << CONF
ClusterName=mini
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$BASE
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$D/munge.sock
CryptoType=crypto/munge
StateSaveLocation=$D/state
SlurmdSpoolDir=$D/spool/%n
SlurmctldPidFile=$D/slurmctld.pid
SlurmdPidFile=$D/slurmd.%n.pid
SlurmctldLogFile=$D/log/slurmctld.log
SlurmdLogFile=$D/log/slurmd.%n.log
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=10
KillWait=2
MinJobAge=600
MessageTimeout=10
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
DefMemPerCPU=500
CONF
    for i in $(seq 1 "$N"); do
        echo "NodeName=node$i NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((BASE + i)) CPUs=$CPUS" \
            "Boards=1 SocketsPerBoard=1 CoresPerSocket=$CPUS ThreadsPerCore=1 RealMemory=$MEM TmpDisk=20000 State=UNKNOWN ${MS_OF_NODES:-}" >> "$SLURM_CONF"
        mkdir -p "$D/spool/node$i"
    done
    cat >> "$SLURM_CONF" << CONF
PartitionName=batch Nodes=node[1-$N] Default=YES MaxTime=01:00:00 DefaultTime=00:10:00 State=UP
PartitionName=short Nodes=node1 MaxTime=00:02:00 DefaultTime=00:01:00 State=UP
CONF
    # a key has one value: what is given replaces what is above
    while IFS= read -r line; do
        case $line in '' | *Name=*) ;; *) sed -i "/^${line%%=*}=/d" "$SLURM_CONF" ;; esac
        echo "$line" >> "$SLURM_CONF"
    done <<< "${MS_MORE:-}"
}

# kill -0 is true for a zombie, and PID 1 of a container reaps orphans late, or never: read the state.
running() { local st; st=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2> /dev/null) || return 1; [ -n "$st" ] && [ "$st" != Z ]; }
pid_alive() { [ -s "$1" ] && running "$(cat "$1")"; }

stop_pids() { # pidfile...: TERM, wait 5 s at most, KILL what is left
    local f p left live=()
    for f in "$@"; do
        if [ -s "$f" ]; then p=$(cat "$f"); if running "$p"; then live+=("$p"); kill "$p" 2> /dev/null || true; fi; fi
    done
    for _ in $(seq 50); do
        left=(); for p in "${live[@]}"; do if running "$p"; then left+=("$p"); fi; done
        live=("${left[@]}"); [ ${#live[@]} = 0 ] && break; sleep 0.1
    done
    for p in "${live[@]}"; do kill -9 "$p" 2> /dev/null || true; done
    rm -f "$@"
}

start_controller() { pid_alive "$D/slurmctld.pid" || slurmctld -i "$@"; }
start_node() { pid_alive "$D/slurmd.node$1.pid" || slurmd -N "node$1" -c; }

crash_node() { # as if the power went: slurmd, its slurmstepds and all below them get SIGKILL
    local p s c kids todo
    p=$(cat "$D/slurmd.node$1.pid"); kids=("$p")
    for s in $(pgrep -x slurmstepd); do
        # a slurmstepd keeps the log file of its slurmd open: that ties it to this node of this cluster
        if ls -l "/proc/$s/fd" 2> /dev/null | grep -qF "$D/log/slurmd.node$1.log"; then
            kids+=("$s"); todo=("$s")
            while [ ${#todo[@]} -gt 0 ]; do c=$(pgrep -P "${todo[0]}" || true); todo=("${todo[@]:1}" $c); kids+=($c); done
        fi
    done
    kill -9 "${kids[@]}" 2> /dev/null || true
    rm -f "$D/slurmd.node$1.pid"
    # without waiting for SlurmdTimeout
    timeout 10 scontrol update "nodename=node$1" state=down reason=crashed
}

wait_for_nodes() {
    for _ in $(seq 100); do
        pid_alive "$D/slurmctld.pid" || { sleep 0.2; pid_alive "$D/slurmctld.pid" || break; }
        [ "$(timeout 2 sinfo -h -N -p batch -t idle,mix,alloc -o %N 2> /dev/null | sort -u | wc -l)" = "$N" ] && return 0
        sleep 0.1
    done
    echo "minislurm: nodes not up in time" >&2
    tail -n 8 "$D"/log/*.log >&2
    return 1
}

case ${1:-} in
    start)
        write_conf
        munged --force --key-file="$D/munge/munge.key" --socket="$D/munge.sock" --pid-file="$D/munged.pid" \
            --log-file="$D/munge/munged.log" --seed-file="$D/munge/munged.seed" --num-threads=2
        start_controller -c
        for i in $(seq 1 "$N"); do start_node "$i"; done
        wait_for_nodes ;;
    stop)
        # client commands retry for 45 s where there is no controller
        if pid_alive "$D/slurmctld.pid"; then timeout 10 scancel -u "$(id -un)" || true; fi
        for _ in $(seq 60); do [ -z "$(timeout 5 squeue -h)" ] && break; sleep 0.1; done
        stop_pids "$D"/slurmd.*.pid "$D/slurmctld.pid"
        stop_pids "$D/munged.pid" ;;
    start-node) start_node "$2"; wait_for_nodes ;;
    crash-node) crash_node "$2" ;;
    stop-controller) stop_pids "$D/slurmctld.pid" ;;
    start-controller) start_controller; wait_for_nodes ;;
    *) echo "usage: $0 start|stop|start-node N|crash-node N|stop-controller|start-controller" >&2; exit 2 ;;
esac
