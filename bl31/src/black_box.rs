//! The black box: the last calls of each core to EL3, kept for the report when something stops.
//!
//! A [`Record`] holds one call of the normal world and its answer, whoever gave it, or one interrupt that took
//! the normal world to EL3. Calls of the SPMC that EL3 answers itself have records in between. A record is
//! written by stores into the core's own ring: two instructions when the normal world enters EL3, five when it
//! leaves (vectors.S).
//!
//! One core's report reads the rings of all cores while these write them, so the records are atomics. The report
//! has one line per record, in hexadecimal; `cargo xtask trace --console` puts it into words.

use crate::hw::{console, cpu, shared};
use crate::topology::MAX_CORES;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// The number of records per core, including the one that is being written.
pub const RECORDS: usize = 16;

/// Marks the record of a trapped instruction, in the place of a function ID. ESR_EL3 follows in the place of w1.
pub const TRAP: u64 = 4;
/// Marks the record of a world's start, in the place of a function ID. The entry point follows in the place of w1.
const START: u64 = 5;
/// The bit that marks a function ID as called by the SPMC. SMCCC's function IDs have it clear (DEN0028, 2.5).
const SPMC: u32 = 1 << 17;

/// A call and its answer. vectors.S writes it, too.
#[repr(C, align(16))]
pub struct Record {
    /// The answer in w0 and w2. While there is none, this record's own address.
    answer: [AtomicU32; 2],
    /// w0 and w1 of the call.
    asked: [AtomicU32; 2],
}

impl Record {
    const fn empty() -> Self {
        Self {
            answer: [const { AtomicU32::new(0) }; 2],
            asked: [const { AtomicU32::new(0) }; 2],
        }
    }

    /// Writes one half of a record.
    fn set(half: &[AtomicU32; 2], words: [u32; 2]) {
        half[0].store(words[0], Relaxed);
        half[1].store(words[1], Relaxed);
    }

    /// Reads one half of a record.
    fn get(half: &[AtomicU32; 2]) -> [u32; 2] {
        [half[0].load(Relaxed), half[1].load(Relaxed)]
    }

    /// Prints the record as one of core `core`, unless it is empty.
    #[inline(never)]
    fn show(&self, core: usize, mark: &[u8], wait: bool) {
        let [function, w1] = Self::get(&self.asked);
        let [w0, w2] = Self::get(&self.answer);
        if function == 0 {
            return;
        }
        // Each text is written in place: to move unaligned texts, EL3 would have to copy byte by byte.
        let mut texts = [[b' '; 9]; 5];
        for (text, word) in texts.iter_mut().zip([core as u32, function, w1, w0, w2]) {
            hex(text, word);
        }
        let [core, function, w1, w0, w2] = &texts;
        console::line(&[b"core", core, function, w1, mark, w0, w2], wait);
    }

    /// Returns the value that stands in `answer` while there is no answer: the record's address.
    fn no_answer(&self) -> [u32; 2] {
        let at = (&raw const *self).addr() as u64;
        [at as u32, (at >> 32) as u32]
    }
}

/// The records of one core. They are aligned to twice their size. The address behind the last record has
/// [`WRAP`] set, and clearing it gives the address of the first record.
#[repr(C, align(512))]
struct Ring([Record; RECORDS]);

/// The address bit that is set behind the end of a ring and clear within it.
pub const WRAP: usize = size_of::<[Record; RECORDS]>();
const _: () = assert!(align_of::<Ring>() == 2 * WRAP);

shared! {
    #[unsafe(link_section = ".noinit.black_box")]
    static RINGS: [Ring; MAX_CORES] =
        [const { Ring([const { Record::empty() }; RECORDS]) }; MAX_CORES];
    /// The cores whose ring is in use.
    static KEPT: [AtomicBool; MAX_CORES] = [const { AtomicBool::new(false) }; MAX_CORES];
}

/// The place where a core writes next: the record of the normal world's current call, or of its next call if none
/// is open. vectors.S moves it on.
#[repr(transparent)]
pub struct BlackBox(*const Record);

impl BlackBox {
    /// A black box of no core. It must not be written to.
    pub const NONE: Self = Self(core::ptr::null());

    /// Makes the empty black box of core `index`. Call it once per core.
    pub fn new(index: usize) -> Self {
        let records = &RINGS[index].0;
        for record in records {
            Record::set(&record.asked, [0; 2]);
            Record::set(&record.answer, [0; 2]);
        }
        let mut this = Self(records.as_ptr().wrapping_add(RECORDS - 1));
        this.advance();
        KEPT[index].store(true, Relaxed);
        this
    }

    fn open(&self) -> &Record {
        // SAFETY: the normal world's black box points into this core's ring, which is never freed: `new` makes it
        // before the core enters a world. The secure world's (`NONE`) is never used.
        unsafe { &*self.0 }
    }

    /// Goes to the next record and opens it, as vectors.S does.
    fn advance(&mut self) {
        self.0 = self.0.wrapping_add(1).map_addr(|at| at & !WRAP);
        let record = self.open();
        Record::set(&record.answer, record.no_answer());
    }

    /// Notes an entry from the normal world with these values in x0 and x1. For an interrupt, `x0` is its
    /// [`crate::world::Exit`].
    #[inline(always)]
    pub fn normal(&mut self, x0: u64, x1: u64) {
        const ASKED: usize = core::mem::offset_of!(Record, asked);
        // SAFETY: two words are there.
        unsafe { cpu::store_pair::<_, ASKED>(self.open(), x0, x1) };
    }

    /// Notes that the normal world starts at `pc`. An earlier call stays without an answer.
    pub fn starts(&mut self, pc: u64) {
        self.normal(START, pc);
    }

    /// Notes a call of the SPMC, `asked` in w0 and w1, and EL3's `answer` in x0 and x2. A repetition of the last
    /// record is left out, so that an SPMC that is stuck does not push out what came before.
    pub fn spmc(&mut self, asked: &[u32; 2], answer: [u64; 2]) {
        let [function, w1] = *asked;
        let asked = [function | SPMC, w1];
        let answer = answer.map(|x| x as u32);
        let within = WRAP - 1;
        let before = |at: usize| at & !within | at.wrapping_sub(size_of::<Record>()) & within;
        // SAFETY: still in this core's ring.
        let last = unsafe { &*self.0.map_addr(before) };
        if Record::get(&last.asked) == asked && Record::get(&last.answer) == answer {
            return;
        }
        let open = Record::get(&self.open().asked);
        Record::set(&self.open().asked, asked);
        Record::set(&self.open().answer, answer);
        self.advance();
        Record::set(&self.open().asked, open);
    }

    /// Notes that the normal world goes on with these registers, as vectors.S does.
    #[cfg(not(target_os = "none"))]
    pub fn goes_on(&mut self, registers: &[u64; 31]) {
        let answer = [registers[0] as u32, registers[2] as u32];
        Record::set(&self.open().answer, answer);
        self.advance();
        Record::set(&self.open().asked, [0; 2]);
    }
}

/// Prints the records of all cores, each core's oldest first. With `wait` it waits for the console.
///
/// It does without `core::fmt`: the stack may be nearly used up when a report is due.
#[cold]
pub fn report(wait: bool) {
    let title = b"last calls, w0 w1 = w0 w2 (cargo xtask trace --console)";
    console::line(&[title], wait);
    for (core, ring) in RINGS.iter().enumerate() {
        if !KEPT.get(core).is_some_and(|kept| kept.load(Relaxed)) {
            continue;
        }
        // Start behind the open record (the oldest is there) and go round the ring to the open one.
        let mut shown = false;
        for record in ring.0.iter().chain(&ring.0) {
            let open = Record::get(&record.answer) == record.no_answer();
            if shown {
                record.show(core, if open { b" ?" } else { b" =" }, wait);
            }
            if open && shown {
                break;
            }
            shown |= open;
        }
    }
}

/// Writes a word in hexadecimal, after a space.
#[inline(never)]
fn hex(text: &mut [u8; 9], mut word: u32) {
    let [_, digits @ ..] = text;
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[word as usize & 15];
        word >>= 4;
    }
}
