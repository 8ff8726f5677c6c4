//! Fuzzes transfer lists: the bytes as they are, and again with a correct checksum.
#![no_main]

use janus_bl31::transfer_list::{HEADER, Tag, TransferList};
use libfuzzer_sys::fuzz_target;

const AT: u64 = 0x0400_1000;
const NORMAL: u64 = 0x87ff_b000;

fn read(bytes: &[u8]) {
    let list = match TransferList::read(bytes, AT) {
        Ok(list) => list,
        Err(fault) => return assert!(!fault.to_string().is_empty()),
    };
    let mut after = AT + HEADER as u64;
    for entry in list.entries() {
        assert!(entry.at >= after, "entries overlap");
        after = entry.at + entry.data.len() as u64;
        assert!(
            after <= AT + bytes.len() as u64,
            "an entry leads out of the list"
        );
    }
    let mut to = [0; 0x1000];
    let Ok(tree) = list.write_for_normal_world(&mut to, NORMAL) else {
        return;
    };
    let copy = TransferList::read(&to, NORMAL).expect("what is written can be read");
    assert_eq!(
        copy.find(Tag::DEVICE_TREE).map_or(0, |entry| entry.at),
        tree
    );
    assert!(
        copy.entries().all(|entry| entry.tag.0 < 0x100),
        "firmware's own"
    );
    let theirs = |list: &TransferList<'_>| -> Vec<_> {
        let mine = list.entries().filter(|e| (1..0x100).contains(&e.tag.0));
        mine.map(|e| (e.tag, e.data.to_vec())).collect()
    };
    assert_eq!(theirs(&copy), theirs(&list));
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let mut bytes = bytes.to_vec();
    if let Some(used) = bytes.get(8..12) {
        let used = u32::from_le_bytes([used[0], used[1], used[2], used[3]]) as usize;
        bytes[4] = 0;
        let used = used.min(bytes.len());
        let sum = bytes[..used]
            .iter()
            .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        bytes[4] = 0_u8.wrapping_sub(sum);
        read(&bytes);
    }
});
