//! QEMU's `virt` machine with `secure=on`, as TF-A's BL1 and BL2 set it up.
//!
//! Addresses are those of TF-A's `plat/qemu` and of QEMU's `hw/arm/virt.c`.

#[cfg(any(feature = "lossy", feature = "lab"))]
use crate::Composite;
use crate::{GicHints, MemoryMap, Platform, Power, PowerTable, Service, Stop, identity};
#[cfg(feature = "lossy")]
use crate::{GicPower, NoPower, PowerDown};
use core::ops::Range;
use janus_drivers::console::Pl011;
use janus_drivers::gic::{self, SecureGroup, SecureInterrupt, Target, Trigger};
use janus_drivers::hold_pen;
use janus_drivers::pl061::Pl061;
use janus_psci::platform::PowerState;
use janus_spmd::LogicalPartition;

#[cfg(feature = "calls")]
mod calls;
#[cfg(feature = "lab")]
mod events;
#[cfg(feature = "lab")]
mod live;
#[cfg(feature = "lossy")]
mod lossy;
#[cfg(any(feature = "calls", feature = "lab"))]
mod pend;
#[cfg(feature = "calls")]
mod router;

/// QEMU virt. See the module's documentation.
pub struct Qemu;

/// Where BL1 holds the secondary cores: one slot each, by core number.
const HOLD_BASE: usize = 0x0e00_0000;
const HOLD_SLOTS: usize = 32;

/// The secure PL061. Each line below does its work on a rising edge.
const GPIO: usize = 0x090b_0000;
const GPIO_LINE_OFF: u8 = 0;
const GPIO_LINE_RESET: u8 = 1;

/// QEMU's GICv3 puts this many cores into a cluster.
const CLUSTER: usize = 16;

/// The secure timers' PPIs, to the SPMC.
const fn timer(intid: u32) -> SecureInterrupt {
    SecureInterrupt {
        intid,
        group: SecureGroup::Group1S,
        priority: 0,
        trigger: Trigger::Level,
        target: Target::Any,
    }
}

/// The secure EL1 physical timer, and S-EL2's physical and virtual ones (BSA's numbers).
const SECURE_INTERRUPTS: &[SecureInterrupt] = &[
    timer(29),
    timer(20),
    timer(19),
    #[cfg(feature = "calls")]
    calls::SECURE,
    #[cfg(feature = "lab")]
    events::SECURE,
];

/// The power states that TF-A has here: a standby state of the core, a power-down state of the core,
/// and one of core and cluster. TF-A's tests also expect one of the whole system.
const STATES: &[PowerState] = &[
    PowerState {
        value: 0x1,
        levels: [1, 0, 0],
    },
    PowerState {
        value: 0x1_0002,
        levels: [2, 0, 0],
    },
    PowerState {
        value: 0x101_0022,
        levels: [2, 2, 0],
    },
    PowerState {
        value: 0x201_0222,
        levels: [2, 2, 2],
    },
];

/// What PSCI can do here.
const PSCI: PowerTable = PowerTable {
    states: STATES,
    default_suspend: Some([1, 0, 0]),
    system_suspend: Some([2, 2, 2]),
    os_initiated: true,
    freeze: true,
    node_hw_state: true,
    statistics: true,
    // A system that has written itself to its disk needs nothing but power off.
    hibernate: true,
    // RAM survives this machine's reset, so it is already a warm reset.
    resets: &[0],
    ..PowerTable::NONE
};

impl Platform for Qemu {
    const NAME: &'static str = "QEMU virt";
    const MAX_CORES: usize = 16;
    const MEMORY: MemoryMap = MemoryMap {
        image: 0x0e09_0000..0x0e0d_7000,
        // With a transfer list TF-A loads BL31 16 KiB lower.
        lowest: 0x0e06_0000,
        // BL1 ends TF-A's secure RAM, and is still needed while BL31 is loaded.
        loaded_end: 0x0e0e_e000,
        // 9.25 KiB per core: QEMU's CPUs have the longest vectors of the architecture.
        vectors: 0x0e0d_7000..0x0e0f_c000,
        far_vectors: None,
        shared: 0x0e00_0000..0x0e09_0000,
        lists: 0x0e0f_c000..0x0e10_0000,
        normal_list: 0x5fff_c000..0x6000_0000,
        // The GIC, with room for the redistributors of 123 cores; then the UARTs and the GPIO.
        devices: &[
            0x0800_0000..0x0920_0000,
            // Not a device: what a lab has put there is only read, and has not been in EL3's cache.
            #[cfg(feature = "lab")]
            live::MEMORY,
        ],
        // EL3 maps nothing of the SPMC's memory, and here the stacks need no table of their own.
        stacks: 0x0e1e_0000,
    };
    const SECURE_RAM: Range<u64> = 0x0e10_0000..0x0f00_0000;
    // The machine may have RAM up to the end of its 40-bit space; devices end below it.
    const NORMAL_RAM: &'static [Range<u64>] = &[0x4000_0000..0x100_0000_0000];
    type Console = Pl011<0x0900_0000>;
    const GIC: gic::Config = gic::Config {
        gicd: 0x0800_0000,
        gicr: &[0x080a_0000],
        secure: SECURE_INTERRUPTS,
    };

    // Each of these features brings its own; an image with several has them all.
    const PARTITIONS: &'static [&'static dyn LogicalPartition] = &[
        #[cfg(any(feature = "greeter", feature = "twins"))]
        &crate::greeter::Greeter,
        // No product has this: the boot has to refuse it.
        #[cfg(feature = "twins")]
        &crate::greeter::Greeter,
        #[cfg(feature = "calls")]
        calls::PARTITIONS[0],
        #[cfg(feature = "calls")]
        calls::PARTITIONS[1],
        #[cfg(feature = "calls")]
        calls::PARTITIONS[2],
        #[cfg(feature = "calls")]
        calls::PARTITIONS[3],
        #[cfg(feature = "calls")]
        calls::PARTITIONS[4],
        #[cfg(feature = "calls")]
        calls::PARTITIONS[5],
        #[cfg(feature = "lab")]
        &live::AGENT,
    ];
    #[cfg(feature = "lab")]
    const COMPONENTS: &'static [&'static dyn janus_lfa::Component] = live::COMPONENTS;
    #[cfg(any(feature = "calls", feature = "lab"))]
    const GROUP0: &'static [crate::Group0] = &[
        #[cfg(feature = "calls")]
        calls::GROUP0,
        #[cfg(feature = "lab")]
        events::GROUP0,
    ];
    const SERVICES: &'static [Service] = &[
        identity::service::<Self>(),
        #[cfg(feature = "calls")]
        calls::SERVICE,
        #[cfg(feature = "lab")]
        events::SERVICE,
    ];

    const GIC_HINTS: GicHints = GicHints {
        version: " (QEMU: gic-version=3)",
        security: " (QEMU: needs secure=on)",
    };
    // QEMU's cores never lose their power. The feature `lossy` makes as if they did.
    #[cfg(not(feature = "lossy"))]
    const POWER: Power = Power {
        psci: PSCI,
        ..Power::KEPT
    };
    #[cfg(feature = "lossy")]
    const POWER: Power = Power {
        psci: PSCI,
        off: PowerDown::Lost,
        suspend: PowerDown::Lost,
        gic: GicPower {
            redistributor: 0,
            distributor: 2,
        },
    };

    #[cfg(feature = "lossy")]
    fn power_on(index: usize) -> Result<(), NoPower> {
        lossy::power_on(index, Self::mpidr(index))
    }

    #[cfg(any(feature = "lossy", feature = "lab"))]
    fn going_off(index: usize, _: &Composite) {
        #[cfg(feature = "lab")]
        events::forget(index);
        #[cfg(feature = "lossy")]
        lossy::going_off(index);
    }

    #[cfg(feature = "lossy")]
    fn power_down(index: usize, target: &Composite) {
        const GIC: &gic::Config = &Qemu::GIC;
        lossy::power_down(GIC, index, target);
    }

    fn domain(index: usize, level: usize) -> usize {
        if level == 1 { index / CLUSTER } else { 0 }
    }

    fn mpidr(index: usize) -> u64 {
        (index / CLUSTER << 8 | index % CLUSTER) as u64
    }

    fn core_index(mpidr: u64) -> Option<usize> {
        let index = (mpidr >> 8 & 0xff) as usize * CLUSTER + (mpidr & 0xff) as usize;
        (index < Self::MAX_CORES && Self::mpidr(index) == mpidr).then_some(index)
    }

    fn set_warm_entry(entry: usize, clean: fn(usize, usize)) {
        // SAFETY: the page is secure RAM that EL3 maps as data, and only BL1's held cores look at
        // it; the caller gives an entry point for them.
        unsafe { hold_pen::open(HOLD_BASE, HOLD_SLOTS, entry as u64, clean) }
    }

    fn stop(how: Stop) {
        // SAFETY: the secure PL061 of this machine is mapped as a device, and only this uses it.
        let mut gpio = unsafe { Pl061::new(GPIO) };
        gpio.pulse(match how {
            Stop::Off { .. } => GPIO_LINE_OFF,
            Stop::Reset(_) => GPIO_LINE_RESET,
        });
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    /// The code in docs/partitions.md is that of the example, which is compiled and run.
    #[test]
    fn the_documents_example() {
        let (text, code) = (
            include_str!("../../../docs/partitions.md"),
            include_str!("router.rs"),
        );
        let blocks = text.split("```rust\n").skip(1);
        let blocks = blocks.map(|rest| rest.split("```").next().unwrap_or(""));
        for block in blocks.clone() {
            assert!(code.contains(block), "not in router.rs:\n{block}");
        }
        assert_eq!(blocks.count(), 3);
    }

    /// The memory map of docs/hafnium.md.
    #[test]
    fn the_documents_memory_map() {
        let address = |at: u64| format!("0x{:04x}_{:04x}", at >> 16, at & 0xffff);
        let text = include_str!("../../../docs/hafnium.md");
        for row in [
            format!("| BL32 | from {};", address(Qemu::SECURE_RAM.start)),
            format!("up to {}, each", address(Qemu::SECURE_RAM.end)),
            format!(
                "| normal world | from {};",
                address(Qemu::NORMAL_RAM[0].start)
            ),
        ] {
            assert!(text.contains(&row), "{row}");
        }
    }
}
