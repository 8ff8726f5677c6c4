//! What a platform tells the rest of Janus.

use crate::power::Power;
use crate::services::Service;
use core::ops::Range;
use janus_drivers::{console::Console, gic};
use janus_lfa::Component;
use janus_psci::{Composite, Reset};
use janus_spmd::{LogicalPartition, Messenger, World};

/// The parts of the address space that EL3 uses; physical addresses, page-aligned.
pub struct MemoryMap {
    /// From the image's usual load address to the end of the memory it may use.
    pub image: Range<usize>,
    /// The lowest address to which boot firmware may load the image instead, at the start of a page. The image runs at any
    /// page from here on. (TF-A loads BL31 to another address if it hands over by a transfer list.)
    pub lowest: usize,
    /// The loaded bytes of the image must end below this address, because boot firmware that loads the image runs above
    /// it. Without such firmware: the end of `image`, or any higher address.
    pub loaded_end: usize,
    /// RAM for the vector registers of the world that does not run, divided evenly among the cores:
    /// 9.1 KiB each for the architecture's longest vectors, 1.1 KiB for those of 128 bits or FP alone. A
    /// core whose vectors are too long for its share has no SVE and no SME.
    pub vectors: Range<usize>,
    /// More memory for vector registers, where [`Platform::has_far_vectors`] says that it can be used.
    pub far_vectors: Option<FarVectors>,
    /// Secure RAM in which boot firmware leaves its parameter list and the SPMC manifest, and in
    /// which held cores wait. Mapped as data, never executable. If it ends where the image usually begins, it
    /// ends at the image's actual address when the image is moved.
    pub shared: Range<usize>,
    /// More secure RAM, in which boot firmware may leave its transfer list. May be empty.
    pub lists: Range<usize>,
    /// The normal world's RAM that boot firmware gives to that world's transfer list. May be empty: the
    /// normal world then gets none.
    pub normal_list: Range<u64>,
    /// Device registers that EL3 uses, the interrupt controller among them.
    pub devices: &'static [Range<usize>],
    /// Unused virtual addresses at which the stacks are mapped, with a guard page under each.
    pub stacks: usize,
}

/// Memory for vector registers above the first GiB. EL3's page tables end there.
pub struct FarVectors {
    /// Physical addresses below 4 GiB, page-aligned, closed to the normal world.
    pub memory: Range<usize>,
    /// Unused virtual addresses from here on, at which it is mapped.
    pub mapped_at: usize,
}

/// How PSCI was asked to stop the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SYSTEM_OFF, or SYSTEM_OFF2.
    Off {
        /// Set for SYSTEM_OFF2: the normal world hibernates. It has already written its state to its disk.
        hibernate: bool,
    },
    /// SYSTEM_RESET, or SYSTEM_RESET2 with its type and cookie.
    Reset(Reset),
}

/// The identity of a system on chip, for SMCCC_ARCH_SOC_ID.
#[derive(Clone, Copy, Debug)]
pub struct SocId {
    /// JEP-106 bank in bits 30 to 24, JEP-106 code in bits 23 to 16, the vendor's SoC number in bits 15 to 0.
    pub version: u32,
    /// The SoC's revision; bit 31 is zero.
    pub revision: u32,
}

/// What EL3 does for the handlers of a [`Service`] and a [`Group0`], on the core that serves the call or the interrupt.
/// They can also send requests to partitions and the SPMC ([`Messenger::ask`]), which then run on this core until they
/// have answered. While the SPMC waits for EL3, such a request is refused.
pub trait El3: Messenger {
    /// The core's number.
    fn index(&self) -> usize;

    /// x0 to x30 of `world` on this core.
    fn registers(&mut self, world: World) -> &mut [u64; 31];

    /// Returns ELR_EL3 and SPSR_EL3 of the normal world: where it continues when it runs next.
    fn normal_state(&mut self) -> (u64, u64);

    /// Returns whether the normal world waits for the secure world: for the answer to a call, or until it has handled
    /// an interrupt. The answer will be in the normal world's registers, so code that wants it to continue somewhere
    /// else has to do that later ([`Next::Later`]).
    fn normal_waits(&self) -> bool;

    /// The highest exception level of the normal world, 1 or 2.
    fn normal_level(&self) -> u8;

    /// Makes the normal world continue somewhere else. Whether there is memory at that (virtual) address is its own
    /// affair.
    ///
    /// # Errors
    ///
    /// EL3 cannot return there: the normal world has no such exception level or state at present. Or it waits for the
    /// secure world. Nothing is changed.
    fn set_normal_state(&mut self, elr: u64, spsr: u64) -> Result<(), Unfit>;

    /// Makes the normal world continue at `address` at its highest exception level, with the PSTATE of an exception's
    /// entry. If it is `linked`, ELR and SPSR of that level say where it would have continued, as after an exception;
    /// else they stay. Returns where it would have continued, for [`El3::set_normal_state`].
    ///
    /// # Errors
    ///
    /// It waits for the secure world. Nothing is changed.
    fn take_exception(&mut self, address: u64, linked: bool) -> Result<(u64, u64), Unfit>;

    /// Returns the counter with this number, of one core or of all. None if there is no such counter.
    #[cfg(feature = "lab")]
    fn counter(&self, number: u32, core: Option<usize>) -> Option<u64>;
}

/// EL3 cannot return to where it was asked to, by [`El3::set_normal_state`] or [`El3::take_exception`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// A Group 0 interrupt of the platform's own.
pub struct Group0 {
    /// Its INTID; its configuration stands in the platform's table of secure interrupts.
    pub intid: u32,
    /// Called on the core that took it; usual environment. EL3 has acknowledged it and ends it afterwards.
    /// A level-sensitive one must be quiet when this returns.
    pub handle: fn(&mut dyn El3) -> Next,
}

/// What runs after a Group 0 interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The world that was interrupted, the normal world perhaps somewhere else
    /// ([`El3::set_normal_state`]).
    Resume,
    /// The SPMC, as if a secure interrupt had come: with FFA_INTERRUPT. Where it was the SPMC that was
    /// interrupted, the same as [`Next::Resume`].
    Spmc,
    /// As [`Next::Resume`]. And the handler is called again, with no interrupt, just before the normal world of this
    /// core runs next; it cannot send requests then, and [`Next::Spmc`] is the same as [`Next::Resume`].
    Later,
}

/// Advice to the user about a GIC that cannot be used. Each text ends the error message.
pub struct GicHints {
    /// For a GIC that is neither a GICv3 nor a GICv4.
    pub version: &'static str,
    /// For a GIC with only one security state.
    pub security: &'static str,
}

/// Why a core cannot be turned on, for the console: the caller of CPU_ON gets INTERNAL_FAILURE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPower(pub &'static str);

/// The image cannot run on this machine: what was found, and what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongMachine {
    /// The register that says so.
    pub register: &'static str,
    /// Its value.
    pub value: u32,
    /// Which machines the image is for.
    pub wanted: &'static str,
}

/// The environment of a hook is one of two:
///
/// * *usual*: MMU and caches on, on the stack of the core that calls. What [`Platform::MEMORY`] names is
///   mapped. Messages may be written.
/// * *bare*: MMU and data cache off, on the stack of the core that calls (at the cold boot core 0's), at its physical
///   address. All memory is Device memory: no unaligned access, no atomic read-modify-write, nothing that another core
///   has in its cache. Statics are at their usual addresses. Nothing may be logged and nothing may panic.
///
/// Interrupts are masked in all of them; none may wait for another core without a bound.
#[doc(alias = "porting")]
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
    /// Where EL3's messages go: any UART, or [`janus_drivers::console::NoConsole`].
    type Console: Console;
    /// The interrupt controller and the platform's secure interrupts.
    const GIC: gic::Config;

    /// EL3's logical partitions (DEN0077A): code of the platform that talks to secure partitions.
    const PARTITIONS: &'static [&'static dyn LogicalPartition];

    /// The firmware that can be replaced while the system runs (DEN0147). None: the calls for it do not exist, and
    /// the image has nothing of it.
    const COMPONENTS: &'static [&'static dyn Component] = &[];

    /// Whether [`Platform::soc_id`] says which SoC this is. A virtual machine has no such number.
    const HAS_SOC_ID: bool = false;

    /// The handlers of the platform's own Group 0 interrupts.
    const GROUP0: &'static [Group0] = &[];

    /// The platform's own SMCs, one service per owner. The calls of an owner without a service are NOT_SUPPORTED.
    const SERVICES: &'static [Service] = &[];

    /// Advice for the console when the GIC cannot be used. Empty texts add nothing to the message.
    const GIC_HINTS: GicHints = GicHints {
        version: "",
        security: "",
    };

    /// What PSCI can do on this platform, and what a core loses with its power.
    const POWER: Power;

    /// Returns the numbers of the SoC for SMCCC_ARCH_SOC_ID.
    fn soc_id() -> SocId {
        SocId {
            version: 0,
            revision: 0,
        }
    }

    /// Returns the machine's name for the boot line. Called on the boot core once the console is set up, before EL3
    /// uses any other device but those of [`Platform::reset`]; usual environment.
    ///
    /// # Errors
    ///
    /// The image cannot run on this machine. The boot prints the error and stops.
    fn identify() -> Result<&'static str, WrongMachine> {
        Ok(Self::NAME)
    }

    /// The power domain of core `index` at `level` (1 and up): equal for the cores of one domain.
    fn domain(index: usize, level: usize) -> usize;

    /// The affinity fields of the MPIDR_EL1 of core `index`, below [`Platform::MAX_CORES`].
    fn mpidr(index: usize) -> u64;

    /// The linear number of the core with this MPIDR_EL1 (affinity fields only), below
    /// [`Platform::MAX_CORES`]; None for an MPIDR that no core of this platform can have.
    fn core_index(mpidr: u64) -> Option<usize>;

    /// Makes cores that come on or back, those that boot firmware holds now included, branch to the
    /// physical address `entry` at EL3, with their MMU off. Once, on the boot core, when bl31 is ready
    /// for them. Usual environment.
    ///
    /// `clean(address, bytes)` cleans the data cache to the point of coherency and ends with a DSB:
    /// cores that start run uncached.
    fn set_warm_entry(entry: usize, clean: fn(usize, usize));

    /// Gives core `index`, which is off, its power, so that it comes to the warm entry. On the core that
    /// called CPU_ON; usual environment. Only where [`Power::off`] is [`PowerDown::Lost`](crate::PowerDown::Lost).
    ///
    /// The core may still be on its last instructions: wait, with a bound, until it really is off, for
    /// its stack is used again.
    ///
    /// # Errors
    ///
    /// [`NoPower`]: the core stays off, and the caller of CPU_ON is told. (If the core comes all the same, because it
    /// never went off, CPU_ON has succeeded.)
    fn power_on(index: usize) -> Result<(), NoPower> {
        let _ = index;
        Err(NoPower("the platform has no power control"))
    }

    /// Prepares the power-off of core `index`, which calls this. `target` says which domains above it go off too,
    /// because it is their last core. Sets up the power controller, wake-up sources included. Usual environment, after
    /// the SPMC agreed and the core's interrupts stopped; no other core goes to sleep, off or wakes up meanwhile.
    ///
    /// The command that takes the power belongs into [`Platform::power_down`]: after CPU_FREEZE the core keeps its power,
    /// and waits for CPU_ON in a WFI.
    fn going_off(index: usize, target: &Composite) {
        let _ = (index, target);
    }

    /// Core `index`, which calls this, goes into the states `target`, standby states included. As
    /// [`Platform::going_off`] otherwise; but in a standby state of the core alone, other cores may go to sleep or wake
    /// up meanwhile.
    fn going_to_sleep(index: usize, target: &Composite) {
        let _ = (index, target);
    }

    /// Core `index`, which calls this, has come on or woke up, and the domains of `from` with it: it is the
    /// first of them. Also undoes what [`Platform::going_to_sleep`] prepared, where the core did not go
    /// down after all. Usual environment; no other core goes to sleep, off or wakes up meanwhile, except after a standby
    /// state of the core alone. The GIC's distributor works; the core's redistributor and CPU interface, and the worlds'
    /// registers, are restored later.
    fn woke(index: usize, from: &Composite) {
        let _ = (index, from);
    }

    /// Cuts the power of core `index`, which calls this last of all. `target` are the states that the core and its domains
    /// go into. Bare environment. The core's own caches are clean; if a domain powers down, all caches up to memory are.
    /// Here the cluster leaves the interconnect.
    ///
    /// A core that came on although no CPU_ON asked for it goes off again this way, without [`Platform::going_off`]:
    /// `target` is zero then at every level.
    ///
    /// If this returns, the power-down did not happen and nothing is lost. The core then goes to the warm entry, as after a
    /// power-down.
    fn power_down(index: usize, target: &Composite) {
        let _ = (index, target);
        wait_for_interrupt();
    }

    /// Returns whether the last [`Platform::power_down`] of core `index` returned: asked on that core when it is
    /// back, once, for a message. Usual environment.
    fn power_down_failed(index: usize) -> bool {
        let _ = index;
        false
    }

    /// Whether core `index` (level 0) or its domain at `level` has power, as the hardware says; None: what
    /// the power domain tree says is so at once. For NODE_HW_STATE; usual environment.
    fn has_power(index: usize, level: usize) -> Option<bool> {
        let _ = (index, level);
        None
    }

    /// Whether [`Platform::reset`] does anything: else it is not called.
    const HAS_RESET: bool = false;

    /// Runs first on each core that comes on or back, and on the boot core at its cold boot: applies errata and
    /// set-up by MIDR_EL1, and joins the cluster to the interconnect. Bare environment. May run again without a
    /// reset in between, if [`Platform::power_down`] returned.
    fn reset() {}

    /// Returns the system counter's frequency in Hz. Each core that comes on or back writes it to CNTFRQ_EL0.
    /// None if the register is right already.
    fn counter_frequency() -> Option<u64> {
        None
    }

    /// How long, in milliseconds, an SPMC may take to answer the message that the system goes off or resets. After
    /// that a timer interrupts it, and the system stops without the answer.
    const STOP_PATIENCE_MS: u32 = 5000;

    /// Sets up again what keeps the worlds' memory apart (a TZC), at the cold boot and after the whole
    /// system slept in a power-down state. Usual environment.
    fn protect_memory() {}

    /// Returns whether this machine has [`MemoryMap::far_vectors`] and keeps the normal world out of it. All cores
    /// answer alike. Usual environment.
    fn has_far_vectors() -> bool {
        false
    }

    /// Turns the system off or resets it. Returns if the hardware does not obey.
    fn stop(how: Stop);
}

/// Sleeps until an interrupt is signalled to this core, or for less: WFI, as EL3 does it everywhere.
pub fn wait_for_interrupt() {
    janus_drivers::wait::until_interrupt();
}
