//! A made-up board, to read beside docs/porting.md and to start a platform from. CI builds an image for it; no
//! such board exists.
//!
//! Two clusters of two Cortex-A72, a power controller that really takes their power, an interconnect that a
//! cluster has to join, a firewall for memory, an NS16550, and a button whose interrupt is EL3's.

use crate::{
    Call, Callers, Composite, El3, Forms, Function, GicPower, Group0, Handler, Kind, MemoryMap,
    Next, NoPower, Owner, Platform, Power, PowerDown, PowerTable, Service, SocId, Stop,
    wait_for_interrupt,
};
use core::ops::Range;
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use janus_drivers::console::Console;
use janus_drivers::gic::{self, SecureGroup, SecureInterrupt, Target, Trigger};
use janus_psci::PowerState;
use janus_spmd::LogicalPartition;

/// The board.
pub struct Board;

const CLUSTERS: usize = 2;
const CORES_PER_CLUSTER: usize = 2;

/// The UART.
const UART: usize = 0x1000_0000;
/// The power controller: a block of registers for each core.
const POWER: usize = 0x1001_0000;
/// The interconnect: a register for each core, in a page of its cluster. A cluster takes part as long as one of its cores
/// does. (With one register for a whole cluster, a core that comes and the last one that goes must not meet:
/// `janus_drivers::cluster`.)
const INTERCONNECT: usize = 0x1002_0000;
/// The firewall in front of DRAM.
const FIREWALL: usize = 0x1003_0000;
/// Reset and power of the whole board.
const SYSTEM: usize = 0x1004_0000;
/// The button's SPI.
const BUTTON: u32 = 40;

/// How often a device is asked before it counts as broken.
const PATIENCE: u32 = 1_000_000;

fn read(address: usize) -> u32 {
    // SAFETY: called with the addresses of the board's device registers, which EL3 maps as devices.
    unsafe { with_exposed_provenance::<u32>(address).read_volatile() }
}

fn write(address: usize, value: u32) {
    // SAFETY: as in `read`; what a write does is said where it is.
    unsafe { with_exposed_provenance_mut::<u32>(address).write_volatile(value) }
}

/// Waits, not for ever, until the bits of `mask` in a register are `wanted`.
fn wait_for(address: usize, mask: u32, wanted: u32) -> bool {
    (0..PATIENCE).any(|_| read(address) & mask == wanted)
}

/// Registers of the power controller for one core.
mod power {
    /// Write 1: on. Write 2: off at the next WFI. Write 6: its cluster off with it. Write 8: no more off.
    pub const COMMAND: usize = 0;
    /// Bit 0: it has power.
    pub const STATUS: usize = 4;
    /// Where it starts.
    pub const START: usize = 8;
    /// Write 1: an interrupt turns the core on again.
    pub const WAKE: usize = 12;
}

fn power_register(core: usize, register: usize) -> usize {
    // Masked: the compiler sees that no sum overflows, so that there is no panic to be reached.
    POWER | (core & 3) << 4 | register
}

/// The NS16550: registers of 4 bytes, set up by boot firmware.
pub struct Ns16550;

impl Console for Ns16550 {
    fn try_put(byte: u8) -> bool {
        // LSR, bit 5: the transmitter takes a byte.
        let room = read(UART + 5 * 4) & 1 << 5 != 0;
        if room {
            write(UART, byte.into());
        }
        room
    }
}

/// The board's own calls.
const CALLS: Service = Service {
    owner: Owner::Sip,
    uuid: 0x7b1c_92d4_0e5f_4a63_b8c7_3f21_d9a6_54e0,
    revision: [1, 0],
    functions: &[Function {
        number: 1,
        kind: Kind::Fast,
        forms: Forms::Smc32,
        callers: Callers::Normal,
        handle: Handler::El3(lamp),
    }],
};

/// Reads the state of the lamp.
fn lamp(el3: &mut dyn El3, call: &Call) {
    call.answer(el3, &[read(SYSTEM + 8).into()]);
}

/// The button was pressed: the SPMC is told.
fn button(_: &mut dyn El3) -> Next {
    // Quiet it; it is a level.
    write(SYSTEM + 12, 1);
    Next::Spmc
}

impl Platform for Board {
    const NAME: &'static str = "the example board";
    const MAX_CORES: usize = CLUSTERS * CORES_PER_CLUSTER;
    const MEMORY: MemoryMap = MemoryMap {
        image: 0x0400_0000..0x0404_0000,
        lowest: 0x0400_0000,
        loaded_end: 0x0404_0000,
        vectors: 0x0404_0000..0x0404_8000,
        far_vectors: None,
        shared: 0x0404_8000..0x0405_0000,
        lists: 0..0,
        normal_list: 0..0,
        devices: &[
            0x1000_0000..0x1001_0000,
            0x1001_0000..0x1005_0000,
            0x2f00_0000..0x2f20_0000,
        ],
        stacks: 0x0420_0000,
    };
    const SECURE_RAM: Range<u64> = 0x0600_0000..0x0800_0000;
    const NORMAL_RAM: &'static [Range<u64>] = &[0x8000_0000..0x1_0000_0000];
    type Console = Ns16550;
    const GIC: gic::Config = gic::Config {
        gicd: 0x2f00_0000,
        gicr: &[0x2f10_0000],
        secure: &[SecureInterrupt {
            intid: BUTTON,
            group: SecureGroup::Group0,
            priority: 0,
            trigger: Trigger::Level,
            target: Target::Any,
        }],
    };
    const PARTITIONS: &'static [&'static dyn LogicalPartition] = &[];
    const HAS_SOC_ID: bool = true;
    fn soc_id() -> SocId {
        SocId {
            version: 0x043b_0001,
            revision: 0,
        }
    }
    const GROUP0: &'static [Group0] = &[Group0 {
        intid: BUTTON,
        handle: button,
    }];
    const SERVICES: &'static [Service] = &[CALLS];

    const POWER: Power = Power {
        psci: PowerTable {
            states: &[
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
            ],
            system_suspend: Some([2, 2, 2]),
            os_initiated: true,
            // 1: the board's own, a reset into its boot menu.
            resets: &[0, 0x8000_0001],
            ..PowerTable::NONE
        },
        off: PowerDown::Lost,
        suspend: PowerDown::Lost,
        gic: GicPower {
            redistributor: 2,
            distributor: 2,
        },
    };

    fn domain(index: usize, level: usize) -> usize {
        if level == 1 {
            index / CORES_PER_CLUSTER
        } else {
            0
        }
    }

    fn mpidr(index: usize) -> u64 {
        (index / CORES_PER_CLUSTER << 8 | index % CORES_PER_CLUSTER) as u64
    }

    fn core_index(mpidr: u64) -> Option<usize> {
        let index = (mpidr >> 8 & 0xff) as usize * CORES_PER_CLUSTER + (mpidr & 0xff) as usize;
        (index < Self::MAX_CORES && Self::mpidr(index) == mpidr).then_some(index)
    }

    fn set_warm_entry(entry: usize, _: fn(usize, usize)) {
        for core in 0..Self::MAX_CORES {
            // The address is below 4 GiB.
            write(power_register(core, power::START), entry as u32);
        }
    }

    fn power_on(index: usize) -> Result<(), NoPower> {
        // It may still be on its way off.
        if !wait_for(power_register(index, power::STATUS), 1, 0) {
            return Err(NoPower("its last power-off did not happen"));
        }
        write(power_register(index, power::COMMAND), 1);
        Ok(())
    }

    fn going_off(index: usize, _: &Composite) {
        write(power_register(index, power::WAKE), 0);
    }

    fn going_to_sleep(index: usize, target: &Composite) {
        // Depth 1 of the core is a standby state: it keeps its power.
        if target.levels[0] == 2 {
            write(power_register(index, power::WAKE), 1);
        }
    }

    fn woke(index: usize, _: &Composite) {
        write(power_register(index, power::WAKE), 0);
    }

    fn power_down(index: usize, target: &Composite) {
        // The core has left its cluster's coherency; now it leaves the interconnect's.
        take_part(index, false);
        let command = if target.levels[1] > 0 { 6 } else { 2 };
        write(power_register(index, power::COMMAND), command);
        wait_for_interrupt();
        // Something ended the WFI: the core keeps its power, now and at its next WFI. `reset` comes next.
        write(power_register(index, power::COMMAND), 8);
    }

    const HAS_RESET: bool = true;

    fn reset() {
        take_part(this_core(), true);
    }

    fn counter_frequency() -> Option<u64> {
        Some(50_000_000)
    }

    fn protect_memory() {
        // The last 16 MiB below 4 GiB are the secure world's.
        write(FIREWALL, 0xff00_0000);
    }

    fn stop(how: Stop) {
        match how {
            Stop::Off { .. } => write(SYSTEM, 1),
            Stop::Reset(reset) if reset.kind == Some(0x8000_0001) => {
                write(SYSTEM + 4, reset.cookie as u32);
                write(SYSTEM, 3);
            }
            Stop::Reset(_) => write(SYSTEM, 2),
        }
    }
}

/// A core joins or leaves the interconnect's coherency.
fn take_part(core: usize, join: bool) {
    let register = INTERCONNECT | (core >> 1 & 1) << 12 | (core & 1) << 3;
    write(register, join.into());
    // The register's status says when this is done.
    wait_for(register | 4, 1, 0);
}

/// The number of this core.
fn this_core() -> usize {
    #[cfg(target_os = "none")]
    {
        let mpidr: u64;
        // SAFETY: reads a register.
        unsafe { core::arch::asm!("mrs {}, mpidr_el1", out(reg) mpidr, options(nomem, nostack)) };
        (mpidr >> 8 & 1) as usize * CORES_PER_CLUSTER + (mpidr & 1) as usize
    }
    #[cfg(not(target_os = "none"))]
    0
}
