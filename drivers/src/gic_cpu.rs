//! The GIC CPU interface of the core that runs this (ICC_*_EL1, ICC_*_EL3).
//!
//! EL3 owns Group 0, and the enables of Group 0 and secure Group 1. The enable of non-secure
//! Group 1 is off when a core comes on and is the normal world's afterwards. Some registers have
//! one copy per world, chosen by SCR_EL3.NS; what writes them here chooses and puts SCR_EL3 back.

use crate::gic::{IntId, Pending};
use arm_gic::gicv3::GicCpuInterface;
use arm_sysregs::el1::accessors::{
    read_icc_ap0r0_el1, read_icc_ap0r1_el1, read_icc_ap0r2_el1, read_icc_ap0r3_el1,
    read_icc_ap1r0_el1, read_icc_ap1r1_el1, read_icc_ap1r2_el1, read_icc_ap1r3_el1,
    read_icc_hppir0_el1, read_icc_iar0_el1, read_icc_pmr_el1, read_icc_rpr_el1, read_icc_sre_el1,
    read_id_aa64pfr0_el1, write_icc_ap0r0_el1, write_icc_ap0r1_el1, write_icc_ap0r2_el1,
    write_icc_ap0r3_el1, write_icc_ap1r0_el1, write_icc_ap1r1_el1, write_icc_ap1r2_el1,
    write_icc_ap1r3_el1, write_icc_asgi1r_el1, write_icc_bpr0_el1, write_icc_bpr1_el1,
    write_icc_eoir0_el1, write_icc_pmr_el1, write_icc_sgi0r_el1,
};
use arm_sysregs::el1::registers::{IccEoir0El1, IccSgi0rEl1, IccSreEl1};
use arm_sysregs::el2::accessors::read_icc_sre_el2;
use arm_sysregs::el2::registers::IccSreEl2;
use arm_sysregs::el3::accessors::{
    read_icc_ctlr_el3, read_icc_igrpen1_el3, read_scr_el3, write_icc_ctlr_el3,
    write_icc_igrpen1_el3, write_scr_el3,
};
use arm_sysregs::el3::registers::{IccCtlrEl3, IccIgrpen1El3, ScrEl3};
use janus_arm::AFFINITY_MASK;

/// ID_AA64PFR0_EL1.EL2.
const PFR0_EL2: u64 = 0xf << 8;
/// ID_AA64PFR0_EL1.GIC.
const PFR0_GIC: u64 = 0xf << 24;

/// Returns whether the CPU has the GIC's system registers (ID_AA64PFR0_EL1.GIC). Without, it is a GICv2
/// system, which Janus does not support.
pub fn has_system_registers() -> bool {
    read_id_aa64pfr0_el1() & PFR0_GIC != 0
}

/// Sets the CPU interface of this core up: system registers for all ELs, no priority masked,
/// Group 0 and secure Group 1 enabled, non-secure Group 1 left to the normal world.
///
/// SCR_EL3 is as before when this returns.
pub fn init() {
    GicCpuInterface::enable_system_register_el3(true);
    GicCpuInterface::disable_legacy_interrupt_bypass_el3(true);
    isb();
    with_bank(Bank::Secure, || {
        GicCpuInterface::enable_system_register_el1();
        isb();
        write_icc_bpr1_el1(0);
    });
    with_bank(Bank::Normal, || {
        GicCpuInterface::enable_system_register_el1();
        // Accessible at EL3 with NS = 1 even where the CPU has no S-EL2.
        if read_id_aa64pfr0_el1() & PFR0_EL2 != 0 {
            GicCpuInterface::enable_system_register_el2(true);
            GicCpuInterface::disable_legacy_interrupt_bypass_el2(true);
        }
        isb();
        write_icc_bpr1_el1(0);
    });
    write_icc_bpr0_el1(0);
    // One write ends an interrupt in every world, as it is after reset; no priority mask hints.
    let writable = IccCtlrEl3::EOIMODE_EL3
        | IccCtlrEl3::EOIMODE_EL1S
        | IccCtlrEl3::EOIMODE_EL1NS
        | IccCtlrEl3::CBPR_EL1S
        | IccCtlrEl3::CBPR_EL1NS
        | IccCtlrEl3::RM
        | IccCtlrEl3::PMHE;
    write_icc_ctlr_el3(read_icc_ctlr_el3() - writable);
    GicCpuInterface::set_priority_mask(0xff);
    GicCpuInterface::enable_group0(true);
    write_icc_igrpen1_el3(IccIgrpen1El3::ENABLEGRP1S);
    isb();
}

/// Which copy of a register that each world has for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bank {
    Secure,
    Normal,
}

/// Runs `work` while SCR_EL3.NS chooses this copy; it is as before afterwards.
fn with_bank<T>(bank: Bank, work: impl FnOnce() -> T) -> T {
    let scr = read_scr_el3();
    let chosen = match bank {
        Bank::Secure => scr - ScrEl3::NS,
        Bank::Normal => scr | ScrEl3::NS,
    };
    // SAFETY: only NS changes, and no lower EL runs before it is put back below. EL3's own
    // translation regime does not depend on it.
    unsafe { write_scr_el3(chosen) };
    isb();
    let result = work();
    // SAFETY: puts back what was there.
    unsafe { write_scr_el3(scr) };
    isb();
    result
}

/// Ends every priority that is active on this core for Group 0 and secure Group 1: whoever acknowledged these
/// interrupts is gone, and what comes now need not preempt them. What the redistributor and the distributor
/// hold as active is [`crate::gic::Redistributor`]'s.
///
/// The normal world's stay: they are lower than any secure one, and keep nothing secure away.
pub fn end_secure_priorities() {
    Priorities::NONE.write();
}

/// The active priorities of Group 0 and secure Group 1.
struct Priorities {
    group0: [u64; 4],
    group1: [u64; 4],
}

/// How many active priorities registers a group has: 1, 2 or 4.
fn active_registers() -> usize {
    match read_icc_ctlr_el3().pribits() {
        0..=4 => 1,
        5 => 2,
        _ => 4,
    }
}

impl Priorities {
    /// No active priority, as after reset.
    const NONE: Self = Self {
        group0: [0; 4],
        group1: [0; 4],
    };

    fn read() -> Self {
        let mut found = Self::NONE;
        let some = active_registers();
        found.group0[0] = read_icc_ap0r0_el1();
        if some >= 2 {
            found.group0[1] = read_icc_ap0r1_el1();
        }
        if some >= 4 {
            found.group0[2] = read_icc_ap0r2_el1();
            found.group0[3] = read_icc_ap0r3_el1();
        }
        with_bank(Bank::Secure, || {
            found.group1[0] = read_icc_ap1r0_el1();
            if some >= 2 {
                found.group1[1] = read_icc_ap1r1_el1();
            }
            if some >= 4 {
                found.group1[2] = read_icc_ap1r2_el1();
                found.group1[3] = read_icc_ap1r3_el1();
            }
        });
        found
    }

    /// In this order: IHI 0069, 12.2: ICC_AP0R before the secure ICC_AP1R. Registers that are not there are not
    /// touched.
    #[inline(always)]
    fn write(&self) {
        let some = active_registers();
        // SAFETY: no priority is active, as after reset, or what was there.
        unsafe {
            write_icc_ap0r0_el1(self.group0[0]);
            if some >= 2 {
                write_icc_ap0r1_el1(self.group0[1]);
            }
            if some >= 4 {
                write_icc_ap0r2_el1(self.group0[2]);
                write_icc_ap0r3_el1(self.group0[3]);
            }
        }
        with_bank(Bank::Secure, || {
            // SAFETY: as above.
            unsafe {
                write_icc_ap1r0_el1(self.group1[0]);
                if some >= 2 {
                    write_icc_ap1r1_el1(self.group1[1]);
                }
                if some >= 4 {
                    write_icc_ap1r2_el1(self.group1[2]);
                    write_icc_ap1r3_el1(self.group1[3]);
                }
            }
        });
    }
}

/// Runs `work` with no secure priority active on this core, and puts them back.
pub fn without_secure_priorities<T>(work: impl FnOnce() -> T) -> T {
    let active = Priorities::read();
    end_secure_priorities();
    let result = work();
    active.write();
    result
}

/// Runs `work` with no priority masked on this core, and puts the mask back.
pub fn unmasked<T>(work: impl FnOnce() -> T) -> T {
    let mask = read_icc_pmr_el1();
    GicCpuInterface::set_priority_mask(0xff);
    isb();
    let result = work();
    write_icc_pmr_el1(mask);
    result
}

/// Returns whether the secure EL1 or, with `sel2`, S-EL2 can send SGIs itself: it has the system registers
/// (ICC_SRE_ELx.SRE), and EL3 does not trap ICC_ASGI1R_EL1, which it does if SCR_EL3 routes both IRQ and
/// FIQ to EL3. While the secure world's SCR_EL3 is in the CPU.
pub fn secure_el_sends_sgis(sel2: bool) -> bool {
    let scr = read_scr_el3();
    let registers = match sel2 {
        true => read_icc_sre_el2().contains(IccSreEl2::SRE),
        false => read_icc_sre_el1().contains(IccSreEl1::SRE),
    };
    registers && !scr.contains(ScrEl3::IRQ | ScrEl3::FIQ)
}

/// Disables all groups: no interrupt is signalled to this core any more, and no secure one is active. Before
/// [`crate::gic::Redistributor::sleep`]. Also for a core that was never set up by [`init`].
pub fn disable() {
    GicCpuInterface::enable_system_register_el3(true);
    isb();
    GicCpuInterface::enable_group0(false);
    write_icc_igrpen1_el3(IccIgrpen1El3::empty());
    end_secure_priorities();
    isb();
    dsb();
}

/// Enables Group 0 alone, at any priority: what waits for this core then ends a WFI at EL3. After
/// [`disable`] and [`crate::gic::Redistributor::listen`].
pub fn listen() {
    GicCpuInterface::set_priority_mask(0xff);
    GicCpuInterface::enable_group0(true);
    isb();
}

/// Stops the normal world's interrupts to this core, or lets them come. Returns whether they came before.
pub fn set_normal_group1(enabled: bool) -> bool {
    let before = read_icc_igrpen1_el3();
    let mut after = before;
    after.set(IccIgrpen1El3::ENABLEGRP1NS, enabled);
    write_icc_igrpen1_el3(after);
    isb();
    before.contains(IccIgrpen1El3::ENABLEGRP1NS)
}

/// Returns whether an interrupt with a priority of the secure half is active on this core: those that come now have to
/// be of a higher one.
pub fn in_secure_interrupt() -> bool {
    read_icc_rpr_el1() & 0xff < 0x80
}

/// Stops secure Group 1 interrupts to this core until the next [`init`], because nobody takes them. Also ends the
/// active priorities of those that the secure world acknowledged.
pub fn end_secure_group1() {
    GicCpuInterface::enable_group1_secure(false);
    end_secure_priorities();
    isb();
}

/// The pending interrupt of the highest priority, without acknowledging it. Reads ICC_HPPIR0_EL1.
pub fn pending() -> Pending {
    match read_icc_hppir0_el1().intid() {
        1020 => Pending::SecureGroup1,
        1021 => Pending::NonSecureGroup1,
        // 1022 is a legacy special value, 1023 is "none".
        1022 | 1023 => Pending::None,
        id => IntId::try_from(id).map_or(Pending::None, Pending::Group0),
    }
}

/// Acknowledges a Group 0 interrupt (ICC_IAR0_EL1). `None` if there is none any more: it can
/// vanish, or one of another group overtake it, after [`pending`] saw it. What this returns must
/// be ended by [`end_group0`].
pub fn acknowledge_group0() -> Option<IntId> {
    let id = read_icc_iar0_el1().intid();
    if (1020..1024).contains(&id) {
        return None;
    }
    // The interrupt's own device is touched only after the acknowledge.
    dsb();
    IntId::try_from(id).ok()
}

/// Ends a Group 0 interrupt: drops the priority and deactivates it (ICC_EOIR0_EL1).
pub fn end_group0(id: IntId) {
    // What the handler wrote to its device arrives before the interrupt can come again.
    dsb();
    // Not by `end_interrupt`, which panics where it cannot see how large an INTID is.
    write_icc_eoir0_el1(IccEoir0El1::from_bits_retain(u32::from(id).into()));
    isb();
}

/// Sends SGI `id` (0 to 15, more is ignored) of non-secure Group 1 to the core with `mpidr`: how
/// EL3 raises the schedule receiver interrupt.
///
/// At EL3 the current Security state is Secure whatever SCR_EL3.NS says, so "the other state's
/// Group 1" (ICC_ASGI1R_EL1) is the non-secure one.
pub fn send_ns_sgi(id: u32, mpidr: u64) {
    if id >= IntId::SGI_COUNT {
        return;
    }
    // Makes earlier writes visible to the core that takes the SGI.
    dsb();
    write_icc_asgi1r_el1(sgi_value(id, mpidr));
    isb();
}

/// Sends SGI `id` (0 to 15, more is ignored) to the core with `mpidr`, which gets it if it has it in
/// Group 0.
pub fn send_group0_sgi(id: u32, mpidr: u64) {
    if id >= IntId::SGI_COUNT {
        return;
    }
    // Makes earlier writes visible to the core that takes the SGI.
    dsb();
    // The three registers that send SGIs have the same fields.
    write_icc_sgi0r_el1(sgi_value(id, mpidr));
    isb();
}

/// The value of ICC_ASGI1R_EL1 or ICC_SGI0R_EL1 for one core. (arm-gic's own lacks the range selector, and so the
/// cores with Aff0 above 15.)
fn sgi_value(id: u32, mpidr: u64) -> IccSgi0rEl1 {
    let affinity = mpidr & AFFINITY_MASK;
    let aff0 = affinity & 0xff;
    // Aff1 from bit 16 on, Aff2 from 32, Aff3 from 48.
    let above = (affinity & 0xff00) << 8 | (affinity & !0xffff) << 16;
    let (range, target) = (aff0 / 16, 1 << (aff0 % 16));
    IccSgi0rEl1::from_bits_retain(above | range << 44 | u64::from(id) << 24 | target)
}

#[cfg(target_arch = "aarch64")]
fn isb() {
    // SAFETY: a barrier; it changes nothing. It also keeps the compiler from moving memory accesses.
    unsafe { core::arch::asm!("isb", options(nostack, preserves_flags)) }
}

#[cfg(target_arch = "aarch64")]
fn dsb() {
    // SAFETY: a barrier; it changes nothing. It also keeps the compiler from moving memory accesses.
    unsafe { core::arch::asm!("dsb sy", options(nostack, preserves_flags)) }
}

#[cfg(not(target_arch = "aarch64"))]
fn isb() {}

#[cfg(not(target_arch = "aarch64"))]
fn dsb() {}

#[cfg(test)]
mod tests {
    use super::*;
    use arm_sysregs::el1::fake::SYSREGS;
    use arm_sysregs::el1::registers::{IccHppir0El1, IccIgrpen0El1};
    use arm_sysregs::el2::fake::SYSREGS as EL2;
    use arm_sysregs::el3::fake::SYSREGS as EL3;
    use std::sync::Mutex;

    // The fakes are one set for the whole process.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    #[test]
    fn init_leaves_scr_alone_and_enables_the_secure_groups() {
        let _guard = ONE_AT_A_TIME.lock().unwrap();
        let scr = ScrEl3::FIQ | ScrEl3::EEL2 | ScrEl3::NS;
        EL3.lock().unwrap().scr_el3 = scr;
        EL3.lock().unwrap().icc_ctlr_el3 = IccCtlrEl3::PMHE | IccCtlrEl3::NDS;
        init();
        let el3 = EL3.lock().unwrap();
        assert_eq!(el3.scr_el3, scr);
        assert_eq!(el3.icc_igrpen1_el3, IccIgrpen1El3::ENABLEGRP1S);
        assert_eq!(el3.icc_ctlr_el3, IccCtlrEl3::NDS);
        let el1 = SYSREGS.lock().unwrap();
        assert_eq!(el1.icc_igrpen0_el1, IccIgrpen0El1::ENABLE);
        assert_eq!(el1.icc_pmr_el1.priority(), 0xff);
    }

    #[test]
    fn an_spmc_that_cannot_send_sgis_is_found_out() {
        let _guard = ONE_AT_A_TIME.lock().unwrap();
        SYSREGS.lock().unwrap().icc_sre_el1 = IccSreEl1::SRE;
        EL2.lock().unwrap().icc_sre_el2 = IccSreEl2::empty();
        EL3.lock().unwrap().scr_el3 = ScrEl3::FIQ;
        assert!(secure_el_sends_sgis(false) && !secure_el_sends_sgis(true));
        SYSREGS.lock().unwrap().icc_sre_el1 = IccSreEl1::empty();
        EL2.lock().unwrap().icc_sre_el2 = IccSreEl2::SRE;
        assert!(!secure_el_sends_sgis(false) && secure_el_sends_sgis(true));
        EL3.lock().unwrap().scr_el3 = ScrEl3::FIQ | ScrEl3::IRQ;
        assert!(!secure_el_sends_sgis(true));
    }

    #[test]
    fn special_values_of_the_pending_register() {
        let _guard = ONE_AT_A_TIME.lock().unwrap();
        for (value, expected) in [
            (1020, Pending::SecureGroup1),
            (1021, Pending::NonSecureGroup1),
            (1022, Pending::None),
            (1023, Pending::None),
            (8, Pending::Group0(IntId::sgi(8))),
            (1040, Pending::None), // reserved
        ] {
            SYSREGS.lock().unwrap().icc_hppir0_el1 = IccHppir0El1::from_bits_retain(value);
            assert_eq!(pending(), expected, "{value}");
        }
    }

    #[test]
    fn an_interrupt_that_vanished_is_not_acknowledged() {
        let _guard = ONE_AT_A_TIME.lock().unwrap();
        for (value, expected) in [
            (29, Some(IntId::ppi(13))),
            (1020, None),
            (1021, None),
            (1023, None),
        ] {
            SYSREGS.lock().unwrap().icc_iar0_el1 = IccHppir0El1::from_bits_retain(value);
            assert_eq!(acknowledge_group0(), expected, "{value}");
        }
    }

    #[test]
    fn sgis_reach_cores_beyond_the_first_sixteen() {
        let _guard = ONE_AT_A_TIME.lock().unwrap();
        let value = sgi_value(8, 0x8100_0000 | 0x03_0000_0000 | 0x02_0125);
        assert_eq!(
            value.bits(),
            3 << 48 | 2 << 44 | 2 << 32 | 8 << 24 | 1 << 16 | 1 << 5
        );
        send_ns_sgi(9, 0x8000_0001);
        assert_eq!(
            SYSREGS.lock().unwrap().icc_asgi1r_el1.bits(),
            9 << 24 | 1 << 1
        );
        send_ns_sgi(16, 0);
        assert_eq!(
            SYSREGS.lock().unwrap().icc_asgi1r_el1.bits(),
            9 << 24 | 1 << 1
        );
        for id in [15, 16] {
            send_group0_sgi(id, 0x8000_0102);
            assert_eq!(
                SYSREGS.lock().unwrap().icc_sgi0r_el1.bits(),
                15 << 24 | 1 << 16 | 1 << 2
            );
        }
    }

    #[test]
    fn a_parked_core_listens_to_group_0_alone() {
        let _guard = ONE_AT_A_TIME.lock().unwrap();
        init();
        disable();
        assert_eq!(
            SYSREGS.lock().unwrap().icc_igrpen0_el1,
            IccIgrpen0El1::empty()
        );
        listen();
        let el1 = SYSREGS.lock().unwrap();
        assert_eq!(el1.icc_igrpen0_el1, IccIgrpen0El1::ENABLE);
        assert_eq!(el1.icc_pmr_el1.priority(), 0xff);
        assert_eq!(EL3.lock().unwrap().icc_igrpen1_el3, IccIgrpen1El3::empty());
    }

    /// The active priorities registers that an implementation with so many bits of priority has are
    /// cleared, and no other is touched, which would be UNDEFINED.
    #[test]
    fn active_priorities_end_in_the_registers_there_are() {
        let _guard = ONE_AT_A_TIME.lock().unwrap();
        for (bits, registers) in [(5, 1), (6, 2), (7, 4)] {
            EL3.lock().unwrap().icc_ctlr_el3 = IccCtlrEl3::empty().with_pribits(bits - 1);
            let mut el1 = SYSREGS.lock().unwrap();
            (el1.icc_ap0r0_el1, el1.icc_ap0r1_el1) = (1, 1);
            (el1.icc_ap0r2_el1, el1.icc_ap0r3_el1) = (1, 1);
            (el1.icc_ap1r0_el1, el1.icc_ap1r1_el1) = (1, 1);
            (el1.icc_ap1r2_el1, el1.icc_ap1r3_el1) = (1, 1);
            drop(el1);
            end_secure_priorities();
            let el1 = SYSREGS.lock().unwrap();
            let left = |n| u64::from(n >= registers);
            let group0 = [
                el1.icc_ap0r0_el1,
                el1.icc_ap0r1_el1,
                el1.icc_ap0r2_el1,
                el1.icc_ap0r3_el1,
            ];
            let group1 = [
                el1.icc_ap1r0_el1,
                el1.icc_ap1r1_el1,
                el1.icc_ap1r2_el1,
                el1.icc_ap1r3_el1,
            ];
            assert_eq!(group0, [0, 1, 2, 3].map(left), "{bits} bits");
            assert_eq!(group1, [0, 1, 2, 3].map(left), "{bits} bits");
        }
    }

    #[test]
    fn a_mask_does_not_hold_while_a_core_waits() {
        let _guard = ONE_AT_A_TIME.lock().unwrap();
        GicCpuInterface::set_priority_mask(0x80);
        assert_eq!(unmasked(GicCpuInterface::get_priority_mask), 0xff);
        assert_eq!(GicCpuInterface::get_priority_mask(), 0x80);
    }
}
