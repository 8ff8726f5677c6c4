//! Which core executes.
//!
//! Its affinity is read once, at its first event, which is EL3's own: later, a hypervisor may have changed
//! VMPIDR_EL2, where it is read. Afterwards the core is known by QEMU's number for it, or with all cores in
//! one thread, where that number is wrong (see [`crate::counters`]), by its data at EL3.

use crate::registers::Registers;
use qemu_plugin::VCPUIndex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static THREADS: AtomicBool = AtomicBool::new(true);

/// The cores seen so far: what each is known by, and its affinity.
static CORES: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

/// Says whether QEMU runs each core in a thread of its own.
pub fn begin(threads: bool) {
    THREADS.store(threads, Ordering::Relaxed);
}

/// The affinity of the core that executes, to which QEMU gives the number `cpu`.
pub fn affinity(cpu: VCPUIndex, registers: &Registers) -> u64 {
    let key = if THREADS.load(Ordering::Relaxed) {
        u64::from(cpu)
    } else {
        registers.own_data()
    };
    let mut cores = CORES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, affinity)) = cores.iter().find(|(known, _)| *known == key) {
        return *affinity;
    }
    let affinity = registers.affinity();
    cores.push((key, affinity));
    affinity
}
