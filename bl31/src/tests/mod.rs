//! The glue on the host: whole runs of a core, from BL2's hand-over on, with worlds that follow a script
//! (`fake/`). What a register of a call becomes is for the tests of `spmd` and `psci`; here it is who runs when,
//! what the hardware is asked for, and what the console says.

mod boot;
mod bytes;
mod psci;
mod run;
mod services;

use crate::boot::{cold_main, warm_main};
use crate::context::World;
use crate::hw::{End, Event, Machine, ends, machine};
use crate::world::{Exit, WorldContext};
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use janus_plat::{Plat, Platform};

/// ESR_EL3 of `smc #0` in AArch64.
const SMC: u64 = 0x17 << 26 | 1 << 25;

/// Where BL33 starts.
const BL33: u64 = 0x6000_0000;
/// Where the SPMC starts.
const BL32: u64 = Plat::SECURE_RAM.start;
/// The size of its image.
const BL32_SIZE: u64 = 0x1000;
/// SPSR_EL3 for EL2, and for EL1, everything masked.
const EL2: u64 = 0x3c9;
const EL1: u64 = 0x3c5;

/// FFA_MSG_WAIT: the SPMC is up.
const MSG_WAIT: u64 = 0x8400_006b;
/// FFA_ERROR.
const FFA_ERROR: u64 = 0x8400_0060;
/// FFA_MSG_SEND_DIRECT_REQ and RESP, 32 bits.
const DIRECT_REQ: u64 = 0x8400_006f;
const DIRECT_RESP: u64 = 0x8400_0070;
/// x1 of a message from the SPMD to the SPMC, and back.
const TO_SPMC: u64 = 0xffff_8000;
const FROM_SPMC: u64 = 0x8000_ffff;
/// NOT_SUPPORTED in x0.
const NOT_SUPPORTED: u64 = u64::MAX;

/// A world's step: a call with these in x0 and up.
fn smc(call: &[u64]) -> impl FnOnce(&mut WorldContext) -> Exit + use<> {
    let call = call.to_vec();
    move |context| {
        context.gpr[..call.len()].copy_from_slice(&call);
        machine().esr = SMC;
        Exit::Synchronous
    }
}

/// A world's step: an interrupt takes it to EL3.
fn fiq() -> impl FnOnce(&mut WorldContext) -> Exit + 'static {
    |_| Exit::Fiq
}

/// Adds steps to the scripts.
fn normal(step: impl FnOnce(&mut WorldContext) -> Exit + 'static) {
    machine().plays(World::Normal, step);
}

fn secure(step: impl FnOnce(&mut WorldContext) -> Exit + 'static) {
    machine().plays(World::Secure, step);
}

/// The SPMC does what a message of the SPMD asks, with this status.
fn agrees(status: i32) {
    secure(smc(&[
        DIRECT_RESP,
        FROM_SPMC,
        0x8000_0002,
        u64::from(status as u32),
    ]));
}

/// A world was entered with this in x0 and up, as far as given.
fn entered(world: World, registers: &[u64]) -> impl Fn(&Event) -> bool + use<> {
    let registers = registers.to_vec();
    move |event| matches!(event, Event::Entered(who, found) if *who == world && found.starts_with(&registers))
}

/// What of `events` is an entry into a world: the world and x0.
fn entries(events: &[Event]) -> Vec<(World, u64)> {
    let entry = |event: &Event| match event {
        Event::Entered(world, [x0, ..]) => Some((*world, *x0)),
        _ => None,
    };
    events.iter().filter_map(entry).collect()
}

/// The lines that EL3 said.
fn said(events: &[Event]) -> String {
    let line = |event: &Event| match event {
        Event::Said(line) => Some(line.clone() + "\n"),
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

fn header(kind: u8) -> u64 {
    u64::from_le_bytes([kind, 2, 0, 0, 0, 0, 0, 0])
}

/// BL2's parameters with BL33, entered at `pc` with `spsr` and 0x33 in x0, and with an SPMC if it is wanted.
fn parameters(pc: u64, spsr: u64, spmc: bool) -> Vec<u64> {
    let at = |word: u64| Machine::PARAMETERS + word * 8;
    let entry = |pc, spsr, x0| [header(1), pc, spsr, x0, 1, 2, 3, 4, 5, 6, 7];
    // The list; the nodes of BL33 and BL32; BL32's place; both entry points.
    let mut words = vec![header(5), at(2)];
    words.extend([5, 0, at(14), if spmc { at(6) } else { 0 }]);
    words.extend([4, at(10), at(25), 0]);
    words.extend([header(2), BL32, BL32_SIZE, 0]);
    words.extend(entry(pc, spsr, 0x33));
    words.extend(entry(BL32, EL1, Machine::MANIFEST));
    words
}

/// The manifest of an SPMC at S-EL1, with these cells as well or instead.
fn manifest(more: &[(&str, u32)]) -> &'static [u8] {
    let mut node = DeviceTreeNode::new("attribute").unwrap();
    let usual = [
        ("spmc_id", 0x8000),
        ("maj_ver", 1),
        ("min_ver", 2),
        ("exec_state", 0),
    ];
    let unchanged = |(name, _): &&(&str, u32)| !more.iter().any(|(other, _)| other == name);
    for (name, cell) in usual.iter().filter(unchanged).chain(more) {
        node.add_property(DeviceTreeProperty::new(*name, cell.to_be_bytes().as_slice()).unwrap());
    }
    let mut tree = DeviceTree::new();
    let compatible = DeviceTreeProperty::new("compatible", "arm,ffa-core-manifest-1.0").unwrap();
    tree.root.add_property(compatible);
    tree.root.add_child(node);
    let mut page = tree.to_dtb();
    page.resize(janus_spmd::manifest::MAX_SIZE, 0);
    page.leak()
}

/// The cold boot on core 0, up to how it ends.
fn boots() -> (End, Vec<Event>) {
    let end = ends(|| cold_main(Machine::PARAMETERS, 0, 0, 0));
    (end, machine().take_events())
}

/// Another start of a core.
fn comes_on(index: usize) -> (End, Vec<Event>) {
    let end = ends(|| warm_main(index));
    (end, machine().take_events())
}

/// A machine whose BL2 left BL33 and no SPMC.
fn without_spmc() {
    machine().parameters = parameters(BL33, EL2, false);
}

/// A machine with an SPMC whose manifest has these cells as well, and which will start.
fn with_spmc(more: &[(&str, u32)]) {
    machine().parameters = parameters(BL33, EL2, true);
    machine().manifest = Some(manifest(more));
    secure(smc(&[MSG_WAIT]));
}
