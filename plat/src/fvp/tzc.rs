//! The TZC-400 between the worlds' DRAM. BL2 programs it; EL3 does so again where it lost that.

use super::{read, wait_until, write};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

const BASE: usize = 0x2a4a_0000;
const ACTION: usize = BASE + 0x4;
/// Bits 3:0 ask for open filters, 19:16 say which are open.
const GATE_KEEPER: usize = BASE + 0x8;
const SPECULATION: usize = BASE + 0xc;
/// The regions: base, top, attributes, access by master, 6 words each.
const REGIONS: usize = BASE + 0x100;
const REGION_SIZE: usize = 0x20;
const REGION_COUNT: usize = 9;
const WORDS: usize = 6;

/// What BL2 programmed.
static KEPT: [AtomicU32; REGION_COUNT * WORDS + 3] =
    [const { AtomicU32::new(0) }; REGION_COUNT * WORDS + 3];
static IS_KEPT: AtomicBool = AtomicBool::new(false);

/// The registers in the order of [`KEPT`]. Region 0 is everything: it has no base and no top.
fn registers() -> impl Iterator<Item = (usize, &'static AtomicU32)> {
    let regions =
        (0..REGION_COUNT * WORDS).map(|i| REGIONS + i / WORDS * REGION_SIZE + i % WORDS * 4);
    [ACTION, SPECULATION, GATE_KEEPER]
        .into_iter()
        .chain(regions)
        .zip(&KEPT)
}

/// Keeps what BL2 programmed, when called first. Later calls program it again if it is gone. Only one core is on.
pub fn protect() {
    if !IS_KEPT.swap(true, Relaxed) {
        registers().for_each(|(register, kept)| kept.store(read(register), Relaxed));
        return;
    }
    if registers().all(|(register, kept)| read(register) == kept.load(Relaxed)) {
        return;
    }
    // Closed filters let no access through while regions change.
    write(GATE_KEEPER, 0);
    wait_until(1_000, || read(GATE_KEEPER) >> 16 & 0xf == 0);
    for (register, kept) in registers() {
        if register != GATE_KEEPER {
            write(register, kept.load(Relaxed));
        }
    }
    let gates = KEPT[2].load(Relaxed) & 0xf;
    write(GATE_KEEPER, gates);
    wait_until(1_000, || read(GATE_KEEPER) >> 16 & 0xf == gates);
}
