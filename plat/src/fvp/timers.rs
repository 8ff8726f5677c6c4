//! The system counter and the memory-mapped timer.

use super::{read, write};

/// CNTControlBase: CNTCR, and the counter's frequency.
const CNTCR: usize = 0x2a43_0000;
const CNTFID0: usize = 0x2a43_0020;
/// CNTCTLBase: CNTFRQ, which frames are the normal world's, what it may do there.
const CNTFRQ: usize = 0x2a81_0000;
const CNTNSAR: usize = 0x2a81_0004;
const CNTACR1: usize = 0x2a81_0044;
/// CNTBase1.CNTFRQ.
const FRAME_CNTFRQ: usize = 0x2a83_0010;

/// Starts the counter at its base frequency, and gives frame 1 to the normal world. Frame 0 stays the
/// secure world's. Once, on the boot core.
pub fn init() {
    const ENABLE: u32 = 1;
    const FREQUENCY_0: u32 = 1 << 8;
    write(CNTCR, FREQUENCY_0 | ENABLE);
    let frequency = read(CNTFID0);
    write(CNTFRQ, frequency);
    // All registers of the frame, for reading and writing.
    write(CNTACR1, 0x3f);
    write(CNTNSAR, read(CNTNSAR) | 1 << 1);
    write(FRAME_CNTFRQ, frequency);
}

/// The counter's frequency in Hz.
pub fn frequency() -> u64 {
    read(CNTFID0).into()
}

/// The counter.
pub fn now() -> u64 {
    #[cfg(target_arch = "aarch64")]
    {
        let now;
        // SAFETY: reads a register, after what came before.
        unsafe {
            core::arch::asm!("isb", "mrs {}, cntpct_el0", out(reg) now, options(nostack, preserves_flags));
        }
        now
    }
    #[cfg(not(target_arch = "aarch64"))]
    0
}
