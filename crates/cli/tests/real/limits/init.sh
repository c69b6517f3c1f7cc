# The machine whose control groups are of the second version alone. It runs one workflow where
# groups can be had, one from within a group that has other processes in it, and one from a group
# that was given bounds, out of which nothing may be moved. On the console it says what came of it.
mount -t ext4 /dev/vdb /state
mount -t cgroup2 cgroup /sys/fs/cgroup
echo 32768 > /proc/sys/kernel/pid_max

tell() {
    export AUTOGLM_HOME="/state/$1"
    autoglm run "/tools/$2.yaml" > /tmp/said 2>&1
    echo "CODE $1 $?"
    autoglm journal export | sed "s/^/FACT $1 /"
    autoglm logs last | sed "s/^/LOG $1 /"
    echo "GROUPS $1 $(find /sys/fs/cgroup -name 'autoglm-*' | wc -l)"
}

# Sends a signal to those whose command line is like this.
slay() {
    for process in /proc/[0-9]*; do
        line=$(cat "$process/cmdline" 2> /dev/null | tr '\0' ' ')
        case "$line" in $2) kill -s "$1" "${process#/proc/}" ;; esac
    done
}

tell root limits

mkdir /sys/fs/cgroup/session
sleep 1000 &
echo $! > /sys/fs/cgroup/session/cgroup.procs
echo $$ > /sys/fs/cgroup/session/cgroup.procs
tell session limits

echo 300M > /sys/fs/cgroup/session/memory.max
tell bounded small

# A supervisor that is killed leaves its groups; the next one removes them.
echo max > /sys/fs/cgroup/session/memory.max
export AUTOGLM_HOME=/state/left
autoglm run --detach /tools/stay.yaml > /dev/null 2>&1
while ! [ -e /tmp/there ]; do sleep 0.1; done
# A holder that goes on would follow it by another one.
slay STOP '*--home /state/left*'
slay KILL 'autoglm-supervisor *'
slay KILL '*--home /state/left*'
echo "LEFT $(find /sys/fs/cgroup -name 'autoglm-*' | wc -l) $(pidof sleep | wc -w)"
autoglm run /tools/stay.yaml > /dev/null 2>&1
echo "AFTER $(find /sys/fs/cgroup -name 'autoglm-*' | wc -l) $(pidof sleep | wc -w)"
echo "DONE"
sleep 1000
