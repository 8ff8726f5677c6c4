//! The black box: what each core asked of EL3 last, kept for the report of the next thing that stops.
//!
//! A [`Record`] is a call of the normal world's and what came back to it, whoever answered, or an interrupt
//! that took it to EL3. What the SPMC asks of EL3 itself has records between them. Writing one down is
//! stores into the core's own ring: two instructions when the normal world comes, five when it goes on
//! (vectors.S).
//!
//! A core's report shows the rings of all, while the others write theirs: so they are atomics. A line of it
//! is one record, in hexadecimal; `cargo xtask trace --console` puts it into words.

use crate::hw::{console, cpu, shared};
use crate::topology::MAX_CORES;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// How many records a core keeps, the one that is being written among them.
pub const RECORDS: usize = 16;

/// In the place of a function ID: a trapped instruction; then comes ESR_EL3.
pub const TRAP: u64 = 4;
/// In the place of a function ID: the world was started; then comes its entry point.
const START: u64 = 5;
/// In a function ID: it was the SPMC's. Zero in all that SMCCC has (DEN0028, 2.5).
const SPMC: u32 = 1 << 17;

/// A call and its answer. vectors.S writes it, too.
#[repr(C, align(16))]
pub struct Record {
    /// w0 and w2 with which the caller went on; until then this record's own address.
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

    /// Writes one half.
    fn set(half: &[AtomicU32; 2], words: [u32; 2]) {
        half[0].store(words[0], Relaxed);
        half[1].store(words[1], Relaxed);
    }

    /// Reads one half.
    fn get(half: &[AtomicU32; 2]) -> [u32; 2] {
        [half[0].load(Relaxed), half[1].load(Relaxed)]
    }

    /// Shows it, as of a core, if there is something in it.
    #[inline(never)]
    fn show(&self, core: usize, mark: &[u8], wait: bool) {
        let [function, w1] = Self::get(&self.asked);
        let [w0, w2] = Self::get(&self.answer);
        if function == 0 {
            return;
        }
        // In place: EL3 may not copy what is not aligned but byte by byte.
        let mut texts = [[b' '; 9]; 5];
        for (text, word) in texts.iter_mut().zip([core as u32, function, w1, w0, w2]) {
            hex(text, word);
        }
        let [core, function, w1, w0, w2] = &texts;
        console::line(&[b"core", core, function, w1, mark, w0, w2], wait);
    }

    /// What stands for the answer while there is none.
    fn no_answer(&self) -> [u32; 2] {
        let at = (&raw const *self).addr() as u64;
        [at as u32, (at >> 32) as u32]
    }
}

/// A core's records. Its alignment leaves the bit above the ring zero: an address behind the end becomes the
/// start's when [`WRAP`] is cleared in it.
#[repr(C, align(512))]
struct Ring([Record; RECORDS]);

/// The bit of an address that is set behind the end of a ring, and clear within it.
pub const WRAP: usize = size_of::<[Record; RECORDS]>();
const _: () = assert!(align_of::<Ring>() == 2 * WRAP);

shared! {
    #[unsafe(link_section = ".noinit.black_box")]
    static RINGS: [Ring; MAX_CORES] =
        [const { Ring([const { Record::empty() }; RECORDS]) }; MAX_CORES];
    /// Which of them hold something.
    static KEPT: [AtomicBool; MAX_CORES] = [const { AtomicBool::new(false) }; MAX_CORES];
}

/// Where a core writes: the record, in its ring, of the normal world's call that has not been answered, or of
/// its next one. vectors.S moves it on.
#[repr(transparent)]
pub struct BlackBox(*const Record);

impl BlackBox {
    /// Nobody's: not to be used.
    pub const NONE: Self = Self(core::ptr::null());

    /// The empty one of core `index`. Once for each core.
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
        // SAFETY: it points into this core's ring, which is never freed: the normal world's is made by `new`
        // before the core enters a world, and nobody asks the secure world's.
        unsafe { &*self.0 }
    }

    /// Goes to the record after this one, and opens it. vectors.S does the same.
    fn advance(&mut self) {
        self.0 = self.0.wrapping_add(1).map_addr(|at| at & !WRAP);
        let record = self.open();
        Record::set(&record.answer, record.no_answer());
    }

    /// The normal world comes, with these in x0 and x1; of an interrupt its [`crate::world::Exit`].
    #[inline(always)]
    pub fn normal(&mut self, x0: u64, x1: u64) {
        cpu::store_pair(&self.open().asked, x0, x1);
    }

    /// The normal world will be entered at `pc`. What it asked before, it gets no answer to.
    pub fn starts(&mut self, pc: u64) {
        self.normal(START, pc);
    }

    /// EL3 has done what the SPMC `asked` in w0 and w1, which goes on with `answer` in x0 and x2. The same
    /// again is not kept again: an SPMC that is stuck leaves what came before.
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

    /// The normal world goes on with these registers: what vectors.S does on the way.
    #[cfg(not(target_os = "none"))]
    pub fn goes_on(&mut self, registers: &[u64; 31]) {
        let answer = [registers[0] as u32, registers[2] as u32];
        Record::set(&self.open().answer, answer);
        self.advance();
        Record::set(&self.open().asked, [0; 2]);
    }
}

/// Shows the records of all cores, the oldest of each first. With `wait` it waits for the console.
///
/// It formats nothing: a report comes where a core's stack may be nearly used up.
#[cold]
pub fn report(wait: bool) {
    let title = b"last calls, w0 w1 = w0 w2 (cargo xtask trace --console)";
    console::line(&[title], wait);
    for (core, ring) in RINGS.iter().enumerate() {
        if !KEPT.get(core).is_some_and(|kept| kept.load(Relaxed)) {
            continue;
        }
        // From behind the record that is open, round to it.
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

/// Writes a word in hexadecimal behind a space.
#[inline(never)]
fn hex(text: &mut [u8; 9], mut word: u32) {
    let [_, digits @ ..] = text;
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[word as usize & 15];
        word >>= 4;
    }
}
