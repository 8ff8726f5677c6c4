//! RevC's SMMUv3: it refuses untranslated accesses until an operating system takes it over.

use super::{read, wait_until, write};

const BASE: usize = 0x2b40_0000;
/// Global bypass of the normal world's side, and of the secure side.
const GBPA: usize = BASE + 0x44;
const S_GBPA: usize = BASE + 0x8044;
const UPDATE: u32 = 1 << 31;
const ABORT: u32 = 1 << 20;
/// Whether there is a secure side, and dropping all that is cached.
const S_IDR1: usize = BASE + 0x8004;
const SECURE_IMPL: u32 = 1 << 31;
const S_INIT: usize = BASE + 0x803c;
const INV_ALL: u32 = 1;

/// Microseconds to wait for one answer of the SMMU.
const PATIENCE: u64 = 10_000;

/// Sets the SMMU up. Returns false if it does not answer. Called once, on the boot core.
pub fn init() -> bool {
    let mut done = abort(GBPA);
    if read(S_IDR1) & SECURE_IMPL != 0 {
        done &= abort(S_GBPA);
        write(S_INIT, INV_ALL);
        done &= wait_until(PATIENCE, || read(S_INIT) & INV_ALL == 0);
    }
    done
}

fn abort(gbpa: usize) -> bool {
    let settled = || wait_until(PATIENCE, || read(gbpa) & UPDATE == 0);
    if !settled() {
        return false;
    }
    write(gbpa, read(gbpa) | UPDATE | ABORT);
    settled()
}
