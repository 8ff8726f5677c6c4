#!/bin/busybox sh
# First process of the demonstrations. `janus=` on the kernel's command line says what to do:
#   shell   bring up OP-TEE's driver, then a shell
#   demo    the same, then power off
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys

mode=shell
for word in $(cat /proc/cmdline); do
	case $word in janus=*) mode=${word#janus=} ;; esac
done

for module in /modules/*.ko; do insmod "$module"; done

case $mode in
demo)
	poweroff -f
	;;
*)
	echo
	echo "OP-TEE's device: $(ls /dev/tee0). 'poweroff' ends the machine."
	alias poweroff='poweroff -f'
	setsid cttyhack sh
	poweroff -f
	;;
esac
