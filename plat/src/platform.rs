//! What a platform tells the rest of Janus.

use core::ops::Range;
use janus_drivers::gic;
use janus_psci::{PowerTable, Reset};
use janus_spmd::LogicalPartition;

/// The parts of the address space that EL3 uses; physical addresses, page-aligned.
pub struct MemoryMap {
    /// From the image's load address to the end of the memory it may use.
    pub image: Range<usize>,
    /// The loaded bytes of the image end below this address, where boot firmware still runs while it
    /// loads it. At or above the end of `image` where there is no such firmware.
    pub loaded_end: usize,
    /// RAM for the vector registers of the world that does not run, divided evenly among the cores:
    /// 9.1 KiB each for the architecture's longest vectors, 1.1 KiB for those of 128 bits or FP alone. A
    /// core whose vectors are too long for it has no SVE and no SME.
    pub vectors: Range<usize>,
    /// Secure RAM in which boot firmware leaves its parameter list and the SPMC manifest, and in
    /// which held cores wait. Mapped as data, never executable.
    pub shared: Range<usize>,
    /// Device registers that EL3 uses, the interrupt controller among them.
    pub devices: &'static [Range<usize>],
    /// Unused virtual addresses at which the stacks are mapped, with a guard page under each.
    pub stacks: usize,
}

/// Why the system stops, as PSCI was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SYSTEM_OFF, or SYSTEM_OFF2.
    Off {
        /// SYSTEM_OFF2: the normal world hibernates; what it keeps is on its disk already.
        hibernate: bool,
    },
    /// SYSTEM_RESET, or SYSTEM_RESET2 with its type and cookie.
    Reset(Reset),
}

/// The identity of a system on chip, for SMCCC_ARCH_SOC_ID.
#[derive(Clone, Copy, Debug)]
pub struct SocId {
    /// JEP-106 bank in [30:24], JEP-106 code in [23:16], the vendor's SoC number in [15:0].
    pub version: u32,
    /// The SoC's revision; bit 31 is zero.
    pub revision: u32,
}

/// A platform. Implementations are stateless: what they keep is in the hardware.
pub trait Platform {
    /// The name for the boot line.
    const NAME: &'static str;
    /// The most cores that an image has room for.
    const MAX_CORES: usize;
    /// Where EL3's memory and devices are.
    const MEMORY: MemoryMap;
    /// Physical addresses at which an SPMC may lie.
    const SECURE_RAM: Range<u64>;
    /// Physical addresses at which the normal world may be entered (PSCI entry points).
    const NORMAL_RAM: &'static [Range<u64>];
    /// The PL011 of the EL3 console.
    const CONSOLE: usize;
    /// The interrupt controller and the platform's secure interrupts.
    const GIC: gic::Config;

    /// EL3's logical partitions (DEN0077A): code of the platform that talks to secure partitions.
    const PARTITIONS: &'static [&'static dyn LogicalPartition];

    /// Which SoC this is; None where it has no such number, as a virtual machine.
    const SOC_ID: Option<SocId>;

    /// The handlers of the platform's own Group 0 interrupts, by INTID. EL3 acknowledges and ends.
    const GROUP0: &'static [(u32, fn())];
    /// What PSCI can do here.
    const POWER: PowerTable;

    /// The power domain of core `index` at `level` (1 and up): equal for the cores of one domain.
    fn domain(index: usize, level: usize) -> usize;

    /// The affinity fields of the MPIDR_EL1 of core `index`, below [`Platform::MAX_CORES`].
    fn mpidr(index: usize) -> u64;

    /// The linear number of the core with this MPIDR_EL1 (affinity fields only), below
    /// [`Platform::MAX_CORES`]; None for an MPIDR that no core of this platform can have.
    fn core_index(mpidr: u64) -> Option<usize>;

    /// Makes every core that boot firmware holds branch to the physical address `entry` at EL3, with
    /// its MMU off. Once, on the boot core. A platform whose cores have no power yet does nothing.
    ///
    /// `clean(address, bytes)` cleans the data cache to the point of coherency and ends with a DSB:
    /// held cores run uncached.
    fn release_held_cores(entry: usize, clean: fn(usize, usize));

    /// Turns the system off or resets it. Returns if the hardware does not obey.
    fn stop(how: Stop);
}
