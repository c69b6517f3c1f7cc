#!/bin/busybox sh
# The first process of a machine: what every one of them needs before its own work, which follows.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
for module in /modules/*.ko; do
    insmod "$module"
done
mount -t ext4 -o ro /dev/vda /tools
export AUTOGLM_HOME=/state/home HOME=/tmp LD_LIBRARY_PATH=/tools PATH=/tools:/bin
for setting in $(cat /proc/cmdline); do
    case "$setting" in AUTOGLM_*) export "$setting" ;; esac
done
mkdir -p /lib64
ln -s /tools/ld.so /lib64/ld-linux-x86-64.so.2
