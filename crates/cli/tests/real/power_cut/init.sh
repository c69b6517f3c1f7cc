#!/bin/busybox sh
# The first process of the machine that loses its power. On the console it says what the journal
# has, then does work and says what was acknowledged, until it is cut off.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
for module in /modules/*.ko; do
    insmod "$module"
done
# Nothing reaches the disk unless somebody asks for it.
echo 0 > /proc/sys/vm/dirty_writeback_centisecs
echo 90 > /proc/sys/vm/dirty_ratio
echo 90 > /proc/sys/vm/dirty_background_ratio
mount -t ext4 -o ro /dev/vda /tools
mount -t ext4 -o commit=300 /dev/vdb /state
export AUTOGLM_HOME=/state/home HOME=/tmp LD_LIBRARY_PATH=/tools PATH=/tools:/bin
for setting in $(cat /proc/cmdline); do
    case "$setting" in AUTOGLM_*) export "$setting" ;; esac
done
mkdir -p /lib64
ln -s /tools/ld.so /lib64/ld-linux-x86-64.so.2

if [ -e /state/home/journal.sqlite ]; then
    autoglm journal verify -o json > /tmp/verified && echo "JOURNAL sound" || echo "JOURNAL unsound"
    autoglm journal export | sed -n 's/.*"kind":"run_admitted","run":\([0-9]*\),.*/HAS \1/p'
    echo "ENDED $(autoglm get 1 -o json | sed -n '/"items"/,/}/s/.*"succeeded": \([0-9]*\).*/\1/p' | head -n 1)"
fi
echo "READY"

autoglm run --detach /tools/wide.yaml > /dev/null 2>&1
while true; do
    run=$(autoglm run --detach --new /tools/small.yaml 2> /tmp/said) && echo "ACK $run" || cat /tmp/said
    seen=$(autoglm get 1 -o json | sed -n '/"items"/,/}/s/.*"succeeded": \([0-9]*\).*/\1/p' | head -n 1)
    echo "SEEN ${seen:-0}"
done
