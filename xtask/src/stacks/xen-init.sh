#!/bin/busybox sh
# First process of domain 0 in the stack optee-xen. `janus=` on the kernel's command line:
#   shell      a shell
#   rounds-N   the second domain is created and destroyed N times, then power off
export PATH=/bin:/sbin:/usr/bin:/usr/sbin:/usr/lib/xen-4.20/bin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mkdir -p /var/lib/xen /var/run/xen /var/lib/xenstored /var/log/xen/console /var/run/xenstored /run /etc/xen
echo 'autoballoon="0"' >/etc/xen/xl.conf
for module in /modules/*.ko; do insmod "$module"; done
mount -t xenfs xenfs /proc/xen

mode=shell
for word in $(cat /proc/cmdline); do
	case $word in janus=*) mode=${word#janus=} ;; esac
done

cat >/guest/guest.cfg <<-EOF
	name = "guest"
	kernel = "/guest/Image"
	ramdisk = "/guest/initrd"
	memory = 256
	vcpus = 1
	extra = "console=hvc0 panic=-1 janus=guest"
	tee = "ffa"
	on_crash = "preserve"
EOF
log=/var/log/xen/console/guest-guest.log

xenstored --pid-file /var/run/xenstored.pid
xen-init-dom0
xenconsoled --log=guest --log-dir=/var/log/xen/console

# The guest once; $1 = full: until its driver is up, so that it shares memory with OP-TEE.
round() {
	rm -f "$log"
	xl create -q /guest/guest.cfg || { echo "xl create: status $?"; return 1; }
	if [ "$1" = full ]; then
		waited=0
		until grep -q 'optee: initialized driver' "$log" 2>/dev/null; do
			sleep 1
			waited=$((waited + 1))
			if [ $waited -gt 240 ]; then
				echo "the guest's driver did not come up:"
				tail -n 20 "$log"
				return 1
			fi
		done
	fi
	# What counts is that Xen knows the domain no more: memory it could not get back keeps it.
	xl destroy guest || echo "xl destroy: status $?"
	waited=0
	while [ "$(xl list | wc -l)" -gt 2 ]; do
		sleep 1
		waited=$((waited + 1))
		if [ $waited -gt 60 ]; then
			xl list
			return 1
		fi
	done
	return 0
}

case $mode in
rounds-*)
	echo "@case xen/guests"
	rounds=${mode#rounds-}
	before=$(xl info | awk '/^free_memory/ { print $3 }')
	failed=0
	for n in $(seq "$rounds"); do
		case $n in 1 | 10 | 20) kind=full ;; *) kind=short ;; esac
		round $kind || { failed=$n; break; }
		echo "round $n of $rounds"
	done
	after=$(xl info | awk '/^free_memory/ { print $3 }')
	if [ "$failed" != 0 ]; then
		echo "@fail xen/guests: round $failed"
	elif [ "$after" -lt "$((before - 8))" ]; then
		echo "@fail xen/guests: free memory was $before MiB, is $after MiB"
	else
		echo "@ok xen/guests"
	fi
	;;
*)
	echo "domain 0: 'xl create /guest/guest.cfg', 'xl list'; 'poweroff -f' ends the machine."
	setsid cttyhack sh
	;;
esac
# Waits until the console has said everything, as a change of its settings does.
stty echo
poweroff -f
