#!/bin/busybox sh
# First process of the Linux stacks. `janus=` on the kernel's command line says what to do once
# OP-TEE's driver is up:
#   shell        a shell
#   demo         power off
#   client       a client talks to OP-TEE, then power off
#   xtest        regression 1001 to 1010 of OP-TEE's test suite; xtest-full: all of it
#   test, full   ask what to do: `test` is hotplug, suspend, reboot; `off` is power off
# What is checked is reported as the test payloads do: @case, @ok, @fail.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/shm /run
ip link set lo up

mode=shell
for word in $(cat /proc/cmdline); do
	case $word in janus=*) mode=${word#janus=} ;; esac
done

for module in /modules/*.ko; do insmod "$module"; done
if [ -x /usr/sbin/tee-supplicant ]; then
	mkdir -p /var/lib/tee
	tee-supplicant -d
fi

# check NAME COMMAND...: one case, passed if the command succeeds.
check() {
	name=$1
	shift
	echo "@case $name"
	if "$@"; then echo "@ok $name"; else echo "@fail $name: \`$*' failed"; fi
}

# Waits until the console has said everything, as a change of its settings does: a machine that goes
# down takes what is left with it.
drain() {
	stty echo
}

# One session with a trusted application, again and again, until /tmp/stop exists.
client_loop() {
	while [ ! -e /tmp/stop ]; do
		xtest -t regression 1005 >/tmp/client.log 2>&1 || { echo "client: xtest failed"; cat /tmp/client.log; touch /tmp/client-failed; return; }
		echo round >>/tmp/client-rounds
	done
}

# Every core off and on again and again, 80 times in all, while a client talks to OP-TEE.
hotplug() {
	rm -f /tmp/stop /tmp/client-failed /tmp/client-rounds
	client_loop &
	client=$!
	# A device tree may have more cores than the machine.
	there=$(grep -l 1 /sys/devices/system/cpu/cpu[0-9]*/online)
	for round in $(seq $((80 / $(nproc)))); do
		for online in $there; do
			echo 0 >"$online" || return 1
			[ "$(cat "$online")" = 0 ] || return 1
			echo 1 >"$online" || return 1
			[ "$(cat "$online")" = 1 ] || return 1
		done
	done
	touch /tmp/stop
	wait $client
	[ ! -e /tmp/client-failed ] && [ "$(wc -l </tmp/client-rounds)" -gt 0 ]
}

# All cores but the first off together, then on again: where cores come in clusters, whole ones go.
all_but_one() {
	others=$(grep -l 1 /sys/devices/system/cpu/cpu[0-9]*/online | grep -v /cpu0/)
	for state in 0 1; do
		for online in $others; do
			echo $state >"$online" || return 1
		done
		[ "$(nproc)" = $((state * $(echo "$others" | wc -l) + 1)) ] || return 1
	done
}

# Every core has been in its deepest idle state while the system slept.
idle_states() {
	for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
		deepest=$(ls -d "$cpu"/cpuidle/state* | tail -n 1)
		[ "$(cat "$deepest/s2idle/usage")" -gt 0 ] || return 1
	done
}

# To idle and back by the real-time clock's alarm.
suspend_to_idle() {
	rtc=$(ls -d /sys/class/rtc/rtc* | head -n 1)
	echo enabled >"$rtc/device/power/wakeup"
	before=$(cat /sys/power/suspend_stats/success)
	echo +3 >"$rtc/wakealarm"
	echo freeze >/sys/power/state
	[ "$(cat /sys/power/suspend_stats/success)" -gt "$before" ]
}

case $mode in
demo) ;;
client)
	check optee/client xtest -t regression 1004
	;;
xtest)
	check xtest/regression-1001-1010 xtest -t regression 1001 1002 1003 1004 1005 1006 1007 1008 1009 1010
	;;
xtest-full)
	check xtest/regression xtest -t regression
	;;
test | full)
	echo "@ready"
	read -r answer
	if [ "$answer" = test ]; then
		check linux/cores sh -c '[ "$(nproc)" = "$(ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l)" ]'
		check optee/client xtest -t regression 1004
		check linux/hotplug hotplug
		check linux/all-but-one all_but_one
		check optee/client-after-hotplug xtest -t regression 1004
		check linux/suspend-to-idle suspend_to_idle
		# The device tree of QEMU's own machine has no idle states.
		if [ -d /sys/devices/system/cpu/cpu0/cpuidle/state1 ]; then
			check linux/idle-states idle_states
		fi
		check optee/client-after-suspend xtest -t regression 1004
		echo "@case linux/reboot"
		drain
		reboot -f
	fi
	echo "@ok linux/reboot"
	;;
*)
	echo
	echo "OP-TEE's device: $(ls /dev/tee0). 'poweroff -f' ends the machine."
	setsid cttyhack sh
	;;
esac
drain
poweroff -f
