# The machine that loses its power. On the console it says what the journal has, then does work and
# says what was acknowledged, until it is cut off.
# Nothing reaches the disk unless somebody asks for it.
echo 0 > /proc/sys/vm/dirty_writeback_centisecs
echo 90 > /proc/sys/vm/dirty_ratio
echo 90 > /proc/sys/vm/dirty_background_ratio
mount -t ext4 -o commit=300 /dev/vdb /state

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
