//! The GICv3 as a payload uses it: redistributors, SGIs and PPIs, CPU interface.
//!
//! EL3 sets up the secure configuration of the distributor and the redistributors. A payload only configures
//! interrupts of its own world. This does not use EL3's driver, because tests should not share code with what they
//! test.

use super::{MAX_CORES, cpu};
use crate::machine::HERE;
use crate::{mrs, msr};

const FRAME: usize = 0x2_0000;
/// The offset of the SGI and PPI registers in a redistributor.
const SGI: usize = 0x1_0000;

/// The first special INTID: from it on, there is no interrupt to acknowledge.
pub const SPECIAL: u32 = 1020;

fn read(address: usize) -> u32 {
    // SAFETY: all callers give addresses in the GIC's register frames, which are mapped as device memory.
    unsafe { (address as *const u32).read_volatile() }
}

fn write(address: usize, value: u32) {
    // SAFETY: as in `read`; writing to the GIC does not change the payload's memory.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// Returns the addresses of the redistributors and the affinities of their cores.
fn redistributors() -> impl Iterator<Item = (usize, u64)> {
    let mut next = Some(HERE.gicr);
    core::iter::from_fn(move || {
        let frame = next?;
        // GICR_TYPER: Last, and VLPIS, with which a redistributor has twice the frames (GICv4).
        let low = read(frame + 8);
        let size = FRAME << (low >> 1 & 1);
        next = (low & (1 << 4) == 0).then_some(frame + size);
        Some((frame, u64::from(read(frame + 12))))
    })
    .take(MAX_CORES)
}

/// Returns the affinities of all cores, in the order of their redistributors.
pub fn affinities() -> impl Iterator<Item = u64> {
    redistributors().map(|(_, affinity)| affinity)
}

/// Returns the address of the redistributor of core `number`.
pub fn redistributor(number: usize) -> usize {
    redistributors()
        .find(|&(_, affinity)| cpu::number_of(affinity) == number)
        .expect("a core without a redistributor")
        .0
}

/// Sets up this core's CPU interface for Group 1 interrupts of this world.
pub fn init_cpu_interface() {
    if cpu::el() == 2 {
        msr!("S3_4_C12_C9_5", mrs!("S3_4_C12_C9_5") | 0b1111); // ICC_SRE_EL2
    } else {
        msr!("S3_0_C12_C12_5", mrs!("S3_0_C12_C12_5") | 0b111); // ICC_SRE_EL1
    }
    msr!("S3_0_C4_C6_0", 0xff); // ICC_PMR_EL1
    msr!("S3_0_C12_C12_7", 1); // ICC_IGRPEN1_EL1
}

/// Enables Group 1 interrupts of the normal world in the distributor.
pub fn init_distributor_non_secure() {
    write(HERE.gicd, (1 << 4) | 0b10); // ARE_NS, EnableGrp1A
}

/// Makes `intid` of core `number` a Secure Group 1 interrupt and enables it. A shared interrupt is routed to that core.
/// Works in the Secure state only.
pub fn enable_secure_group1(number: usize, intid: u32) {
    let (base, word, bit) = bank(number, intid);
    let (group, modifier) = (base + 0x80 + word, base + 0xd00 + word);
    write(group, read(group) & !bit); // IGROUPR
    write(modifier, read(modifier) | bit); // IGRPMODR
    route(number, intid);
    set_priority(base, intid, 0x40);
    write(base + 0x100 + word, bit); // ISENABLER
}

/// Routes a shared interrupt to core `number`. Does nothing for a private interrupt.
fn route(number: usize, intid: u32) {
    if intid >= 32 {
        let route = HERE.gicd + 0x6000 + intid as usize * 8; // GICD_IROUTER
        write(route, cpu::mpidr_of(number) as u32);
        write(route + 4, 0);
    }
}

/// Makes SGI or PPI `intid` of core `number` a Group 0 interrupt and enables it. Works in the Secure state only.
pub fn enable_group0(number: usize, intid: u32) {
    let sgi = redistributor(number) + SGI;
    let bit = 1 << intid;
    write(sgi + 0x80, read(sgi + 0x80) & !bit);
    write(sgi + 0xd00, read(sgi + 0xd00) & !bit);
    set_priority(sgi, intid, 0x40);
    write(sgi + 0x100, bit);
}

/// Returns where `intid` has its bit in the bit-per-interrupt registers: the base of these registers (those of core
/// `number` for an SGI or a PPI, the distributor's for an SPI), the offset of the word, and the bit.
fn bank(number: usize, intid: u32) -> (usize, usize, u32) {
    let base = if intid < 32 {
        redistributor(number) + SGI
    } else {
        HERE.gicd
    };
    (base, intid as usize / 32 * 4, 1 << (intid % 32))
}

/// Enables `intid` of core `number` for the normal world, at priority 0x80 in its view. A shared interrupt is routed to
/// that core.
pub fn enable(number: usize, intid: u32) {
    let (base, word, bit) = bank(number, intid);
    route(number, intid);
    set_priority(base, intid, 0x80);
    write(base + 0x100 + word, bit); // ISENABLER
}

/// Disables `intid` (of core `number`).
pub fn disable(number: usize, intid: u32) {
    let (base, word, bit) = bank(number, intid);
    write(base + 0x180 + word, bit);
}

/// Returns whether `intid` (of core `number`) is enabled, as this world sees it.
pub fn is_enabled(number: usize, intid: u32) -> bool {
    let (base, word, bit) = bank(number, intid);
    read(base + 0x100 + word) & bit != 0
}

/// Returns whether `intid` (of core `number`) is pending, as this world sees it.
pub fn is_pending(number: usize, intid: u32) -> bool {
    let (base, word, bit) = bank(number, intid);
    read(base + 0x200 + word) & bit != 0
}

/// Sets or clears the pending state of `intid` (of core `number`).
pub fn set_pending(number: usize, intid: u32, pending: bool) {
    let (base, word, bit) = bank(number, intid);
    write(base + if pending { 0x200 } else { 0x280 } + word, bit);
}

/// Returns whether SGI or PPI `intid` of core `number` is active, as this world sees it.
pub fn is_active(number: usize, intid: u32) -> bool {
    read(redistributor(number) + SGI + 0x300) & (1 << intid) != 0
}

/// Makes SGI or PPI `intid` of core `number` inactive.
pub fn deactivate(number: usize, intid: u32) {
    write(redistributor(number) + SGI + 0x380, 1 << intid);
}

/// Enables SGI or PPI `intid` of core `number` for the normal world, at a lower priority than
/// [`enable`] gives.
pub fn enable_low(number: usize, intid: u32) {
    let sgi = redistributor(number) + SGI;
    set_priority(sgi, intid, 0xe0);
    write(sgi + 0x100, 1 << intid);
}

/// Returns GICR_IGROUPR0 of core `number`, which reads as zero in the normal world.
pub fn group_register(number: usize) -> u32 {
    read(redistributor(number) + SGI + 0x80)
}

/// Returns the priority of SGI or PPI `intid` of core `number`, as this world sees it.
pub fn priority(number: usize, intid: u32) -> u8 {
    let sgi = redistributor(number) + SGI;
    (read(sgi + 0x400 + (intid as usize & !3)) >> ((intid & 3) * 8)) as u8
}

fn set_priority(base: usize, intid: u32, priority: u8) {
    let address = base + 0x400 + (intid as usize & !3);
    let shift = (intid & 3) * 8;
    write(
        address,
        read(address) & !(0xff << shift) | u32::from(priority) << shift,
    );
}

/// Acknowledges the pending Group 1 interrupt of this world with the highest priority. Returns its INTID.
pub fn acknowledge() -> u32 {
    mrs!("S3_0_C12_C12_0") as u32 // ICC_IAR1_EL1
}

/// Ends a Group 1 interrupt of this world.
pub fn end(intid: u32) {
    msr!("S3_0_C12_C12_1", u64::from(intid)); // ICC_EOIR1_EL1
}

fn sgi_target(number: usize, intid: u32) -> u64 {
    let mpidr = cpu::mpidr_of(number);
    let (aff2, aff1, aff0) = (mpidr >> 16 & 0xff, mpidr >> 8 & 0xff, mpidr & 0xf);
    aff2 << 32 | aff1 << 16 | u64::from(intid) << 24 | 1 << aff0
}

/// Sends Group 1 SGI `intid` of this world to core `number`.
pub fn send_sgi(number: usize, intid: u32) {
    msr!("S3_0_C12_C11_5", sgi_target(number, intid)); // ICC_SGI1R_EL1
}

/// Sends Group 1 SGI `intid` of the *other* world to core `number`. Works in the Secure state only.
pub fn send_sgi_other_world(number: usize, intid: u32) {
    msr!("S3_0_C12_C11_6", sgi_target(number, intid)); // ICC_ASGI1R_EL1
}

/// Sends Group 0 SGI `intid` to core `number`. Works in the Secure state only.
pub fn send_sgi_group0(number: usize, intid: u32) {
    msr!("S3_0_C12_C11_7", sgi_target(number, intid)); // ICC_SGI0R_EL1
}

/// Returns ISR_EL1: bit 7 says that an IRQ is pending, bit 6 an FIQ.
pub fn pending_lines() -> u64 {
    mrs!("isr_el1")
}

/// Acknowledges the pending Group 0 interrupt with the highest priority. Works in the Secure state only.
pub fn acknowledge_group0() -> u32 {
    mrs!("S3_0_C12_C8_0") as u32 // ICC_IAR0_EL1
}

/// Returns the highest active priority on this core, as this world sees it; 0xff if no interrupt is active.
pub fn running_priority() -> u64 {
    mrs!("S3_0_C12_C11_3") // ICC_RPR_EL1
}

/// Returns the priority mask of this core, as this world sees it.
pub fn mask() -> u64 {
    mrs!("S3_0_C4_C6_0") // ICC_PMR_EL1
}

/// Sets the priority mask of this core.
pub fn set_mask(mask: u64) {
    msr!("S3_0_C4_C6_0", mask);
}
