//! Which core executes.
//!
//! QEMU does not show MPIDR_EL1 to plugins. VMPIDR_EL2 has the same value after a reset, until software
//! changes it: so it is read at the first block of code that a core executes, and from then on the core is
//! known by QEMU's number for it.
//!
//! With all cores in one thread that number is wrong (see [`crate::counters`]). Then a core is known by its
//! data at EL3, and VMPIDR_EL2 is read at its first event; a core that finds its affinity taken by another
//! one gets the next number that is free.

use crate::registers::{REGISTERS, Registers};
use qemu_plugin::{VCPUIndex, qemu_plugin_num_vcpus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static THREADS: AtomicBool = AtomicBool::new(true);

/// The cores seen so far: the number or data address that identifies each one, and its affinity.
static CORES: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

fn cores() -> MutexGuard<'static, Vec<(u64, u64)>> {
    CORES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says whether QEMU runs each core in a thread of its own.
pub fn begin(threads: bool) {
    THREADS.store(threads, Ordering::Relaxed);
}

/// Returns whether cores may still have to execute their first block.
pub fn wanted() -> bool {
    let all = qemu_plugin_num_vcpus().unwrap_or(0) as usize;
    THREADS.load(Ordering::Relaxed) && cores().len() < all
}

/// A core is about to execute its first block.
pub fn first_block(cpu: VCPUIndex) {
    if let Some(registers) = REGISTERS.get() {
        affinity(cpu, registers);
    }
}

/// The affinity of the core that executes, to which QEMU gives the number `cpu`.
pub fn affinity(cpu: VCPUIndex, registers: &Registers) -> u64 {
    let key = if THREADS.load(Ordering::Relaxed) {
        u64::from(cpu)
    } else {
        registers.own_data()
    };
    let mut cores = cores();
    if let Some((_, affinity)) = cores.iter().find(|(known, _)| *known == key) {
        return *affinity;
    }
    let taken = |affinity| cores.iter().any(|(_, other)| *other == affinity);
    let mut affinity = registers.affinity();
    if taken(affinity) {
        affinity = (0..).find(|number| !taken(*number)).unwrap_or(affinity);
    }
    cores.push((key, affinity));
    affinity
}
