//! Boots with each byte of BL2's structures changed. EL3 reports a fault, or boots as the changed structures say, but
//! each world only in its own memory. It never panics.

use super::*;
use crate::transfer_list::{Tag, X1, list_at};
use janus_context::spsr;
use std::sync::{Arc, Mutex};
use std::thread;

/// What BL2 leaves: the structures in memory, and x0, x1 and x3.
#[derive(Clone)]
struct Left {
    parameters: Vec<u64>,
    manifest: Option<Vec<u8>>,
    list: Option<Vec<u8>>,
    registers: [u64; 3],
}

/// The worlds that were entered, each with ELR_EL3 and SPSR_EL3 at its first entry.
type Starts = Vec<(World, (u64, u64))>;

impl Left {
    fn usual() -> Self {
        Self {
            parameters: parameters(BL33, EL2, true),
            manifest: Some(used(manifest(&[]))),
            list: None,
            registers: [Machine::PARAMETERS, 0, 0],
        }
    }

    /// Boots on a machine of its own. Returns how the boot ends, what happened, and where worlds started; None if EL3
    /// panics.
    fn boots(self) -> Option<(End, Vec<Event>, Starts)> {
        let boot = move || {
            let mut manifest = self.manifest;
            if let Some(manifest) = &mut manifest {
                manifest.resize(janus_spmd::manifest::MAX_SIZE, 0);
            }
            machine().parameters = self.parameters;
            machine().manifest = manifest.map(|bytes| &*bytes.leak());
            machine().list = self.list.map(|bytes| &*bytes.leak());
            let starts = Arc::new(Mutex::new(Starts::new()));
            for world in [World::Secure, World::Normal] {
                let starts = starts.clone();
                machine().plays(world, move |context| {
                    let state = machine().return_state;
                    starts.lock().unwrap().push((world, state));
                    smc(&[MSG_WAIT])(context)
                });
            }
            let [x0, x1, x3] = self.registers;
            let end = ends(|| cold_boot(x0, x1, x3));
            let starts = starts.lock().unwrap().clone();
            (end, machine().take_events(), starts)
        };
        thread::spawn(boot).join().ok()
    }

    /// Boots and checks what must always hold. Returns whether the SPMC ran. `change` says what was changed.
    fn boots_or_says_why(self, change: &str) -> bool {
        let Some((end, events, starts)) = self.boots() else {
            panic!("{change}: EL3 panics");
        };
        let said = said(&events);
        let secure = starts.iter().any(|(world, _)| *world == World::Secure);
        match end {
            End::Stopped => {
                assert!(said.contains("ERROR"), "{change}: stops without a word");
                assert!(starts.is_empty(), "{change}: a world ran");
            }
            End::OutOfScript(_) => {
                let normal = starts.iter().any(|(world, _)| *world == World::Normal);
                assert!(normal, "{change}: ends before the normal world");
                assert!(secure || said.contains("no FF-A"), "{change}: {said}");
            }
            other => panic!("{change}: {other:?}"),
        }
        for (world, (pc, spsr)) in starts {
            let ram = Plat::SECURE_RAM.contains(&pc);
            assert_eq!(
                ram,
                world == World::Secure,
                "{change}: {world:?} at {pc:#x}"
            );
            assert!(
                (1..=2).contains(&spsr::el(spsr)),
                "{change}: SPSR {spsr:#x}"
            );
        }
        secure
    }
}

/// Returns the bytes that a manifest uses of its page.
fn used(page: &[u8]) -> Vec<u8> {
    let size = u32::from_be_bytes([page[4], page[5], page[6], page[7]]);
    page[..size as usize].to_vec()
}

/// Calls `boots` with each byte of `bytes` changed, in one bit and in all bits. Fails unless some changes are refused
/// and others are not.
fn every_byte(bytes: &[u8], boots: impl Fn(Vec<u8>, &str) -> bool) {
    let mut with_spmc = 0;
    for at in 0..bytes.len() {
        for bits in [1 << (at % 8), 0xff] {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= bits;
            with_spmc += usize::from(boots(bytes, &format!("byte {at} ^ {bits:#x}")));
        }
    }
    assert!((1..bytes.len() * 2).contains(&with_spmc), "{with_spmc}");
}

#[test]
fn what_is_changed_boots_unchanged() {
    assert!(Left::usual().boots_or_says_why("unchanged"));
}

#[test]
fn every_byte_of_the_parameters() {
    let usual = Left::usual();
    let bytes = usual.parameters.iter().flat_map(|word| word.to_le_bytes());
    every_byte(&bytes.collect::<Vec<u8>>(), |bytes, change| {
        let (words, _) = bytes.as_chunks();
        let left = Left {
            parameters: words.iter().map(|word| u64::from_le_bytes(*word)).collect(),
            ..usual.clone()
        };
        left.boots_or_says_why(change)
    });
}

#[test]
fn every_byte_of_the_manifest() {
    let usual = Left::usual();
    every_byte(&used(manifest(&[])), |bytes, change| {
        let left = Left {
            manifest: Some(bytes),
            ..usual.clone()
        };
        left.boots_or_says_why(change)
    });
}

/// Changes each byte of a transfer list that is all that BL2 leaves. Its checksum is corrected after the change.
#[test]
fn every_byte_of_the_transfer_list() {
    const CHECKSUM: usize = 4;
    let place = [
        ("load_address", BL32 as u32),
        ("binary_size", BL32_SIZE as u32),
    ];
    let manifest = used(manifest(&place));
    let images = [boot::in_list(0, BL32, 0), boot::in_list(1, BL33, EL2)];
    let list = list_at(
        Machine::LIST,
        &[
            (Tag::DEVICE_TREE, &b"a tree"[..], 8),
            (Tag::ENTRY_POINT, &images[0], 8),
            (Tag::ENTRY_POINT, &images[1], 8),
            (Tag::SPMC_MANIFEST, &manifest, 8),
        ],
    );
    let left = |list: Vec<u8>| Left {
        parameters: Vec::new(),
        manifest: None,
        list: Some(list),
        registers: [Machine::LIST + 32, X1, Machine::LIST],
    };
    assert!(left(list.clone()).boots_or_says_why("unchanged"));
    every_byte(&list, |mut list, change| {
        let size = u32::from_le_bytes([list[8], list[9], list[10], list[11]]) as usize;
        if let Some(summed) = list.get(..size) {
            let sum = summed
                .iter()
                .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
            list[CHECKSUM] = list[CHECKSUM].wrapping_sub(sum);
        }
        left(list).boots_or_says_why(change)
    });
}
