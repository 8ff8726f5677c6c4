//! Where things are on the two machines that the images run on.

/// QEMU's virt machine.
#[cfg(not(feature = "fvp"))]
mod here {
    /// The text that says which part runs.
    pub const CONFIGURATION: usize = 0x4800_0000;
    /// UART0's data register; QEMU's is always ready.
    pub const UART: usize = 0x0900_0000;
    pub const GICD: usize = 0x0800_0000;
    pub const GICR: usize = 0x080a_0000;
    /// How far the number of a core is shifted in its affinity.
    pub const AFFINITY_SHIFT: u32 = 0;
    /// Power-down states of CPU_SUSPEND that are measured: cores lose no power here.
    pub const POWER_DOWN: Option<[u64; 2]> = None;
    pub const WAKE_UP_TIMER: usize = 0;
    pub const WAKE_UP_INTID: usize = 0;
}

/// The FVP, with MPIDR_EL1.MT.
#[cfg(feature = "fvp")]
mod here {
    pub const CONFIGURATION: usize = 0x9000_0000;
    pub const UART: usize = 0x1c09_0000;
    pub const GICD: usize = 0x2f00_0000;
    pub const GICR: usize = 0x2f10_0000;
    pub const AFFINITY_SHIFT: u32 = 8;
    /// The core; the core and its cluster.
    pub const POWER_DOWN: Option<[u64; 2]> = Some([0x1_0000, 0x101_0000]);
    /// The normal world's frame of the memory-mapped timer.
    pub const WAKE_UP_TIMER: usize = 0x2a83_0000;
    pub const WAKE_UP_INTID: usize = 58;
}

pub use here::*;
