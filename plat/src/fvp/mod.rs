//! Arm's Base FVP (RevC and the older one) and the Foundation FVP, as TF-A's BL1 and BL2 set them up.
//!
//! One image for all of them: SYS_ID says which one it is ([`board`]), MPIDR_EL1.MT how its cores are
//! numbered. Cores really lose their power here: a core that comes on or back starts in BL1, which goes to
//! the address in the mailbox. docs/fvp.md has the sequences, step by step.
//!
//! Addresses are those of TF-A's `plat/arm/board/fvp`.

pub mod board;
mod cluster;
mod interconnect;
mod mailbox;
mod power;
mod smmu;
mod timers;
mod tzc;

use crate::{
    Composite, FarVectors, GicHints, GicPower, MemoryMap, NoPower, Platform, Power, PowerDown,
    PowerTable, Service, SocId, Stop, WrongMachine, identity,
};
use core::ops::Range;
use core::ptr;
use janus_drivers::console::Pl011;
use janus_drivers::gic::{self, SecureGroup, SecureInterrupt, Target, Trigger};
use janus_psci::platform::PowerState;
use janus_spmd::LogicalPartition;

/// The FVPs. See the module's documentation.
pub struct Fvp;

/// Cores in a cluster.
const CLUSTER: usize = 4;
/// Clusters.
const CLUSTERS: usize = 2;

/// The depth that means a power-down state at a level.
const DOWN: u8 = 2;

/// The secure interrupts of the C BL31 here, and what an SPMC at S-EL2 needs too.
const SECURE_INTERRUPTS: &[SecureInterrupt] = &[
    // The timers: secure EL1's, and S-EL2's physical and virtual ones (BSA's numbers).
    secure(29),
    secure(20),
    secure(19),
    // The trusted watchdog, and the secure frame of the memory-mapped timer.
    secure(56),
    secure(57),
];

const fn secure(intid: u32) -> SecureInterrupt {
    SecureInterrupt {
        intid,
        group: SecureGroup::Group1S,
        priority: 0,
        trigger: Trigger::Level,
        target: Target::Any,
    }
}

/// Standby of the core, power-down of the core, of core and cluster, of all: in TF-A's usual encoding,
/// whose state ID is 0, and in the recommended one (`ARM_RECOM_STATE_ID_ENC=1`).
const STATES: &[PowerState] = &[
    state(0x0, [1, 0, 0]),
    state(0x1_0000, [DOWN, 0, 0]),
    state(0x101_0000, [DOWN, DOWN, 0]),
    state(0x201_0000, [DOWN, DOWN, DOWN]),
    state(0x1, [1, 0, 0]),
    state(0x1_0002, [DOWN, 0, 0]),
    state(0x101_0022, [DOWN, DOWN, 0]),
    state(0x201_0222, [DOWN, DOWN, DOWN]),
];

const fn state(value: u32, levels: [u8; 3]) -> PowerState {
    PowerState { value, levels }
}

/// How far a core's affinity fields are shifted: where MPIDR_EL1.MT is set, Aff0 is a thread, of which
/// each core has one. All cores are alike in it.
fn thread_shift() -> u32 {
    const MT: u64 = 1 << 24;
    #[cfg(target_arch = "aarch64")]
    let mpidr: u64 = {
        let mpidr;
        // SAFETY: reads a register.
        unsafe {
            core::arch::asm!("mrs {}, mpidr_el1", out(reg) mpidr, options(pure, nomem, nostack, preserves_flags));
        }
        mpidr
    };
    // On a host under test: RevC's.
    #[cfg(not(target_arch = "aarch64"))]
    let mpidr = MT;
    if mpidr & MT != 0 { 8 } else { 0 }
}

impl Platform for Fvp {
    const NAME: &'static str = "FVP";
    const MAX_CORES: usize = CLUSTERS * CLUSTER;
    const MEMORY: MemoryMap = MemoryMap {
        // The limits of TF-A 2.12; from 2.14 on there is more.
        image: 0x0400_3000..0x0403_7000,
        // With a transfer list it lies higher, behind the list.
        lowest: 0x0400_3000,
        loaded_end: 0x0402_0000,
        // 4.5 KiB a core, for vectors of up to 1024 bits.
        vectors: 0x0403_7000..0x0404_0000,
        // What TF-A sets apart for EL3 in the TZC's secure region, for longer ones.
        far_vectors: Some(FarVectors {
            memory: 0xffe0_0000..0x1_0000_0000,
            mapped_at: 0x3fe0_0000,
        }),
        // FW_CONFIG, the SPMC manifest, and BL2's parameters; or the transfer list.
        shared: 0x0400_1000..0x0400_3000,
        lists: 0..0,
        normal_list: 0x87ff_b000..0x8800_0000,
        devices: &[
            mailbox::PAGE,
            // The motherboard: system registers, UARTs, power controller.
            0x1c00_0000..0x1c20_0000,
            // CCI-550.
            0x2a00_0000..0x2a20_0000,
            // System counter, TZC, timer frames.
            0x2a40_0000..0x2aa0_0000,
            // SMMU.
            0x2b40_0000..0x2b60_0000,
            // CCI-400.
            0x2c00_0000..0x2c20_0000,
            // The GIC.
            0x2f00_0000..0x2f40_0000,
        ],
        stacks: 0x041e_0000,
    };
    const SECURE_RAM: Range<u64> = 0x0600_0000..0x0800_0000;
    const NORMAL_RAM: &'static [Range<u64>] =
        &[0x8000_0000..0xff00_0000, 0x8_8000_0000..0x10_0000_0000];
    // BL1 and BL2 use it too, and have set it up.
    type Console = Pl011<0x1c09_0000>;
    const GIC: gic::Config = gic::Config {
        gicd: 0x2f00_0000,
        gicr: &[0x2f10_0000],
        secure: SECURE_INTERRUPTS,
    };
    const PARTITIONS: &'static [&'static dyn LogicalPartition] = &[];
    const SERVICES: &'static [Service] = &[identity::service::<Self>()];
    const GIC_HINTS: GicHints = GicHints {
        version: " (FVP: -C gicv3.gicv2-only=0; Foundation: --gicv3)",
        security: "",
    };
    const HAS_SOC_ID: bool = true;

    fn soc_id() -> SocId {
        board::soc_id()
    }

    fn identify() -> Result<&'static str, WrongMachine> {
        board::Variant::here().map(board::Variant::name)
    }

    const POWER: Power = Power {
        psci: PowerTable {
            states: STATES,
            default_suspend: Some([DOWN, 0, 0]),
            system_suspend: Some([DOWN, DOWN, DOWN]),
            os_initiated: true,
            freeze: true,
            node_hw_state: true,
            statistics: true,
            hibernate: true,
            ..PowerTable::NONE
        },
        off: PowerDown::Lost,
        suspend: PowerDown::Lost,
        // The GIC has power as long as the system has.
        gic: GicPower {
            redistributor: 2,
            distributor: 2,
        },
    };

    fn domain(index: usize, level: usize) -> usize {
        if level == 1 { index / CLUSTER } else { 0 }
    }

    fn mpidr(index: usize) -> u64 {
        let (cluster, core) = (index / CLUSTER, index % CLUSTER);
        // Two branches, so that the compiler sees how large Aff0 can be.
        if thread_shift() != 0 {
            (cluster << 16 | core << 8) as u64
        } else {
            (cluster << 8 | core) as u64
        }
    }

    fn core_index(mpidr: u64) -> Option<usize> {
        let core = mpidr.wrapping_shr(thread_shift());
        let index = (core >> 8 & 0xff) as usize * CLUSTER + (core & 0xff) as usize;
        (index < Self::MAX_CORES && Self::mpidr(index) == mpidr).then_some(index)
    }

    fn set_warm_entry(entry: usize, _: fn(usize, usize)) {
        timers::init();
        if board::Variant::here() == Ok(board::Variant::RevC) && !smmu::init() {
            log::warn!("the SMMU does not answer: what it lets through is not known");
        }
        mailbox::init(entry as u64);
        cluster::init();
    }

    fn power_on(index: usize) -> Result<(), NoPower> {
        power::on(Self::mpidr(index))
    }

    fn going_off(index: usize, _: &Composite) {
        power::set_wake_up(Self::mpidr(index), false);
    }

    fn going_to_sleep(index: usize, target: &Composite) {
        if target.levels[0] == DOWN {
            power::set_wake_up(Self::mpidr(index), true);
        }
    }

    fn woke(index: usize, _: &Composite) {
        // No interrupt may turn it on again while it is off.
        power::set_wake_up(Self::mpidr(index), false);
    }

    fn power_down(index: usize, target: &Composite) {
        let mpidr = Self::mpidr(index);
        cluster::leave(index, mpidr, target.levels[1] == DOWN);
        power::off(mpidr);
        crate::wait_for_interrupt();
        // Something ended the WFI: no power is lost, now or at a later one.
        power::stay_on(mpidr);
        mailbox::set_stayed(index, true);
    }

    fn power_down_failed(index: usize) -> bool {
        mailbox::take_stayed(index)
    }

    fn has_power(index: usize, level: usize) -> Option<bool> {
        match level {
            0 => power::is_on(Self::mpidr(index)),
            1 => power::cluster_is_on(Self::mpidr(index)),
            _ => None,
        }
    }

    const HAS_RESET: bool = true;

    fn reset() {
        let mpidr = this_core();
        if let Some(index) = Self::core_index(mpidr) {
            cluster::join(index, mpidr);
        }
    }

    fn counter_frequency() -> Option<u64> {
        Some(timers::frequency())
    }

    fn protect_memory() {
        if board::Variant::here().is_ok_and(board::Variant::has_tzc) {
            tzc::protect();
        }
    }

    fn has_far_vectors() -> bool {
        // Without a TZC the normal world could read and write there.
        board::Variant::here().is_ok_and(board::Variant::has_tzc)
    }

    fn stop(how: Stop) {
        board::stop(how);
    }
}

/// The affinity fields of this core's MPIDR_EL1.
fn this_core() -> u64 {
    #[cfg(target_arch = "aarch64")]
    {
        let mpidr: u64;
        // SAFETY: reads a register.
        unsafe {
            core::arch::asm!("mrs {}, mpidr_el1", out(reg) mpidr, options(pure, nomem, nostack, preserves_flags));
        }
        mpidr & 0xff_00ff_ffff
    }
    #[cfg(not(target_arch = "aarch64"))]
    0
}

/// Reads a device register of this platform.
fn read(address: usize) -> u32 {
    // SAFETY: called with the addresses of registers that EL3 maps as devices, or reaches with its MMU off.
    unsafe { ptr::with_exposed_provenance::<u32>(address).read_volatile() }
}

/// Writes a device register of this platform.
fn write(address: usize, value: u32) {
    // SAFETY: as for `read`. The devices are EL3's; none of them writes to memory.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(address).write_volatile(value) }
}

/// Waits until earlier writes have reached their devices.
fn barrier() {
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a barrier.
    unsafe {
        core::arch::asm!("dsb sy", options(nostack, preserves_flags));
    }
}

/// Waits until `done` returns true, for at most `microseconds`. Returns false if it did not.
fn wait_until(microseconds: u64, mut done: impl FnMut() -> bool) -> bool {
    let start = timers::now();
    let ticks = (timers::frequency() / 1_000_000).saturating_mul(microseconds);
    loop {
        if done() {
            return true;
        }
        if timers::now().wrapping_sub(start) > ticks {
            return false;
        }
        core::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_affinities() {
        for index in 0..Fvp::MAX_CORES {
            assert_eq!(Fvp::core_index(Fvp::mpidr(index)), Some(index));
        }
        assert_eq!(Fvp::mpidr(5), 0x1_0100);
        for wrong in [0x1, 0x400, 0x2_0000, 0x1_0101, 1 << 32] {
            assert_eq!(Fvp::core_index(wrong), None);
        }
    }
}
