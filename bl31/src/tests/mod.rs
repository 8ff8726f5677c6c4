//! Tests of whole runs of a core on the host, from BL2's hand-over on, with worlds that follow a script
//! (`fake/`). They check which world runs when, what EL3 asks of the hardware, and what the console says. The tests of
//! `spmd` and `psci` check the registers of calls.

mod boot;
mod bytes;
mod psci;
mod run;
mod services;

use crate::boot::{boot_main, cold_main, warm_main};
use crate::hw::{End, Event, Machine, ends, machine};
use crate::world::{Exit, WorldContext};
use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
use janus_plat::{Plat, Platform};
use janus_spmd::World;

/// Boots core 0.
fn cold_boot(x0: u64, x1: u64, x3: u64) -> ! {
    cold_main(x0, x1, x3, 0);
    boot_main(0)
}

/// The address at which BL33 starts.
const BL33: u64 = 0x6000_0000;
/// The address at which the SPMC starts.
const BL32: u64 = Plat::SECURE_RAM.start;
/// The size of the SPMC's image in bytes.
const BL32_SIZE: u64 = 0x1000;
/// SPSR_EL3 for EL2 and for EL1, with all interrupts masked.
const EL2: u64 = 0x3c9;
const EL1: u64 = 0x3c5;

/// FFA_MSG_WAIT, by which the SPMC says that it has started.
const MSG_WAIT: u64 = 0x8400_006b;
/// FFA_ERROR.
const FFA_ERROR: u64 = 0x8400_0060;
/// FFA_MSG_SEND_DIRECT_REQ and FFA_MSG_SEND_DIRECT_RESP, in the 32-bit form.
const DIRECT_REQ: u64 = 0x8400_006f;
const DIRECT_RESP: u64 = 0x8400_0070;
/// x1 of a message from the SPMD to the SPMC, and back.
const TO_SPMC: u64 = 0xffff_8000;
const FROM_SPMC: u64 = 0x8000_ffff;
/// NOT_SUPPORTED in x0.
const NOT_SUPPORTED: u64 = u64::MAX;

/// Makes a world's step: an SMC with these values in x0 and the registers that follow.
fn smc(call: &[u64]) -> impl FnOnce(&mut WorldContext) -> Exit + use<> {
    let call = call.to_vec();
    move |context| {
        context.gpr[..call.len()].copy_from_slice(&call);
        Exit::SMC64_0
    }
}

/// Makes a world's step: an FIQ takes it to EL3.
fn fiq() -> impl FnOnce(&mut WorldContext) -> Exit + 'static {
    |_| Exit::FIQ
}

/// Adds a step to the normal world's script.
fn normal(step: impl FnOnce(&mut WorldContext) -> Exit + 'static) {
    machine().plays(World::Normal, step);
}

/// Adds a step to the secure world's script.
fn secure(step: impl FnOnce(&mut WorldContext) -> Exit + 'static) {
    machine().plays(World::Secure, step);
}

/// Adds the SPMC's answer to a message of the SPMD to its script, with this status.
fn agrees(status: i32) {
    secure(smc(&[
        DIRECT_RESP,
        FROM_SPMC,
        0x8000_0002,
        u64::from(status as u32),
    ]));
}

/// Matches an entry into `world` whose registers from x0 on begin with these values.
fn entered(world: World, registers: &[u64]) -> impl Fn(&Event) -> bool + use<> {
    let registers = registers.to_vec();
    move |event| matches!(event, Event::Entered(who, found) if *who == world && found.starts_with(&registers))
}

/// Returns the entries into worlds among `events`: the world and its x0.
fn entries(events: &[Event]) -> Vec<(World, u64)> {
    let entry = |event: &Event| match event {
        Event::Entered(world, [x0, ..]) => Some((*world, *x0)),
        _ => None,
    };
    events.iter().filter_map(entry).collect()
}

/// Returns the lines that EL3 printed.
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

/// Makes BL2's parameters with BL33, entered at `pc` with `spsr` and 0x33 in x0, and with an SPMC if `spmc` is set.
fn parameters(pc: u64, spsr: u64, spmc: bool) -> Vec<u64> {
    let at = |word: u64| Machine::PARAMETERS + word * 8;
    let entry = |pc, spsr, x0| [header(1), pc, spsr, x0, 1, 2, 3, 4, 5, 6, 7];
    // In this order: the list, the nodes of BL33 and BL32, BL32's place, both entry points.
    let mut words = vec![header(5), at(2)];
    words.extend([5, 0, at(14), if spmc { at(6) } else { 0 }]);
    words.extend([4, at(10), at(25), 0]);
    words.extend([header(2), BL32, BL32_SIZE, 0]);
    words.extend(entry(pc, spsr, 0x33));
    words.extend(entry(BL32, EL1, Machine::MANIFEST));
    words
}

/// Makes the manifest of an SPMC at S-EL1. The properties in `more` are added, or replace usual ones.
fn manifest(more: &[(&str, u32)]) -> &'static [u8] {
    manifest_with(more, &[])
}

/// Makes a manifest as [`manifest`] does, with further nodes, which are empty.
fn manifest_with(more: &[(&str, u32)], nodes: &[&str]) -> &'static [u8] {
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
    for name in nodes {
        tree.root.add_child(DeviceTreeNode::new(*name).unwrap());
    }
    let mut page = tree.to_dtb();
    page.resize(janus_spmd::manifest::MAX_SIZE, 0);
    page.leak()
}

/// Cold-boots core 0. Returns how the boot ends and what happened.
fn boots() -> (End, Vec<Event>) {
    let end = ends(|| cold_boot(Machine::PARAMETERS, 0, 0));
    (end, machine().take_events())
}

/// Starts a core by the warm entry: its registers say nothing of the core that ran before in this test, nor of its own
/// run before. Returns how its run ends and what happened.
fn comes_on(index: usize) -> (End, Vec<Event>) {
    janus_context::sysreg::host::reset();
    machine().return_state = (0, 0);
    let end = ends(|| warm_main(index));
    (end, machine().take_events())
}

/// Sets up a machine on which BL2 left BL33 and no SPMC.
fn without_spmc() {
    machine().parameters = parameters(BL33, EL2, false);
}

/// Sets up a machine with an SPMC that will start. Its manifest has the properties in `more`.
fn with_spmc(more: &[(&str, u32)]) {
    machine().parameters = parameters(BL33, EL2, true);
    machine().manifest = Some(manifest(more));
    secure(smc(&[MSG_WAIT]));
}
