//! The page of trusted SRAM that cores share while their caches are off.
//!
//! Mapped as a device: what is written here is seen by a core that starts, and the other way round. BL1
//! reads the first word.

use super::{CLUSTER, CLUSTERS, barrier, read, write};
use core::ops::Range;
use core::ptr;

/// The page.
pub const PAGE: Range<usize> = 0x0400_0000..0x0400_1000;

/// The address that BL1 branches to on a core that comes on or back.
const ENTRY: usize = PAGE.start;
/// One word per core: whether it takes part in its cluster.
const PRESENT: usize = PAGE.start + 0x100;
/// One word per core: whether its last power-down did not happen.
const STAYED: usize = PAGE.start + 0x140;
/// One word per cluster: a [`super::cluster`] state.
const STATE: usize = PAGE.start + 0x180;

const _: () = assert!(
    PRESENT + 4 * CLUSTERS * CLUSTER <= STAYED
        && STAYED + 4 * CLUSTERS * CLUSTER <= STATE
        && STATE + 4 * CLUSTERS <= PAGE.end
);

/// The address of word `index` from `base` on; never outside the page.
const fn word(base: usize, index: usize) -> usize {
    base + 4 * (index & 0xf)
}

/// Lets BL1 send cores to `entry`.
pub fn init(entry: u64) {
    // SAFETY: the page is EL3's own, aligned, and BL1 on starting cores is all that reads this word.
    unsafe { ptr::with_exposed_provenance_mut::<u64>(ENTRY).write_volatile(entry) };
    barrier();
}

/// Sets whether core `index` takes part in its cluster. Other cores see this before anything this core does later.
pub fn set_present(index: usize, present: bool) {
    write(word(PRESENT, index), present.into());
    barrier();
}

/// Returns whether core `index` takes part in its cluster.
pub fn is_present(index: usize) -> bool {
    read(word(PRESENT, index)) != 0
}

/// Notes whether the last power-down of core `index` did not happen.
pub fn set_stayed(index: usize, stayed: bool) {
    write(word(STAYED, index), stayed.into());
    barrier();
}

/// Returns whether the last power-down of core `index` did not happen, and clears the note.
pub fn take_stayed(index: usize) -> bool {
    let stayed = read(word(STAYED, index)) != 0;
    if stayed {
        set_stayed(index, false);
    }
    stayed
}

/// Sets the state of a cluster. Other cores see this before anything this core does later.
pub fn set_state(cluster: usize, state: u32) {
    write(word(STATE, cluster), state);
    barrier();
}

/// The state of a cluster.
pub fn state(cluster: usize) -> u32 {
    read(word(STATE, cluster))
}
