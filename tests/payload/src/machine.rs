//! The properties of a machine that the payloads cannot read from registers.
//!
//! The cargo feature with a platform's name selects the machine. No other code in this crate knows an address of a
//! machine. (build.rs has the addresses at which the images are linked.)

/// The properties that differ from machine to machine.
pub struct Machine {
    /// The machine's name in Janus.
    pub name: &'static str,
    /// The PL011 of the normal world.
    pub uart_normal: usize,
    /// The PL011 of the secure world.
    pub uart_secure: usize,
    /// The address of the GIC's distributor.
    pub gicd: usize,
    /// The address of the GIC's first redistributor.
    pub gicr: usize,
    /// The address of the configuration's text, in memory of the normal world.
    pub config: usize,
    /// The address of memory of the normal world that survives a reset, and to which nothing is loaded.
    pub scratch: usize,
    /// The number of cores in a cluster, as a power of two.
    pub cluster_shift: usize,
    /// The start of memory in the first GiB, a multiple of 2 MiB. Devices are below.
    pub secure_ram: usize,
    /// The end of that memory, a multiple of 2 MiB. Devices are above.
    pub secure_ram_end: usize,
    /// The end of these devices, a multiple of 2 MiB.
    pub devices_end: usize,
    /// The three GiB above the first: whether each is memory of the normal world.
    pub normal_ram: [bool; 3],
    /// Addresses at which the normal world cannot be entered: the SPMC, EL3, a device.
    pub not_normal: [u64; 3],
    /// The address of the register that identifies the board, on a machine with SMCCC_ARCH_SOC_ID.
    pub sys_id: Option<usize>,
    /// The timer that ends a suspend in which the core has no power.
    pub wake_up: WakeUp,
    /// The `power_state` for standby of the core, in the original format ([`extended`] makes the other one).
    pub standby: u32,
    /// The `power_state` that powers the core down.
    pub core_off: u32,
    /// The `power_state` that powers the core and its cluster down.
    pub cluster_off: u32,
}

/// A timer whose interrupt reaches the GIC while the core that it wakes has no power.
pub enum WakeUp {
    /// The core's own timer, on a machine on which a core without power keeps its timers.
    OwnTimer,
    /// A frame of the memory-mapped generic timer, with a shared interrupt.
    Frame {
        /// The address of the frame.
        base: usize,
        /// The INTID of its physical timer.
        intid: u32,
    },
}

/// Converts a power state to the extended format: moves the type, and keeps the platform's state ID.
pub const fn extended(state: u32) -> u32 {
    (state & 1 << 16) << 14 | state & 0xffff
}

#[cfg(not(any(feature = "qemu", feature = "fvp")))]
compile_error!("choose the machine by a feature: --features qemu, or fvp");
#[cfg(all(feature = "qemu", feature = "fvp"))]
compile_error!("choose one machine: the features qemu and fvp exclude each other");

/// QEMU's `virt`.
#[cfg(feature = "qemu")]
pub const HERE: Machine = Machine {
    name: "QEMU virt",
    uart_normal: 0x0900_0000,
    uart_secure: 0x0904_0000,
    gicd: 0x0800_0000,
    gicr: 0x080a_0000,
    config: 0x4800_0000,
    scratch: 0x4900_0000,
    cluster_shift: 4,
    secure_ram: 0x0e00_0000,
    secure_ram_end: 0x1000_0000,
    devices_end: 0x1000_0000,
    normal_ram: [true, true, false],
    not_normal: [0x0e10_0000, 0x0e09_0000, 0x0900_0000],
    sys_id: None,
    wake_up: WakeUp::OwnTimer,
    standby: 0x1,
    core_off: 0x1_0002,
    cluster_off: 0x101_0022,
};

/// Arm's Base FVP, and our board for it.
#[cfg(feature = "fvp")]
pub const HERE: Machine = Machine {
    name: "FVP",
    // BL1 and BL2 use UART0, too. The EL3 runtime uses UART1.
    uart_normal: 0x1c09_0000,
    uart_secure: 0x1c0b_0000,
    gicd: 0x2f00_0000,
    gicr: 0x2f10_0000,
    config: 0x9000_0000,
    scratch: 0x9100_0000,
    cluster_shift: 2,
    secure_ram: 0x0600_0000,
    secure_ram_end: 0x0800_0000,
    devices_end: 0x4000_0000,
    normal_ram: [false, true, true],
    not_normal: [0x0600_0000, 0x0400_3000, 0x1c09_0000],
    sys_id: Some(0x1c01_0000),
    wake_up: WakeUp::Frame {
        base: 0x2a83_0000,
        intid: 58,
    },
    standby: 0x0,
    core_off: 0x1_0000,
    cluster_off: 0x101_0000,
};
