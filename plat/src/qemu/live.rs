//! A secure partition that can be replaced while the system runs, for a lab (feature `lab`): docs/live-activation.md.
//!
//! A product loads the new image from its store of updates and checks its signature. Here somebody has put the image
//! into secure memory beforehand, with a page in front of it that describes it. Each LFA_PRIME adds up some pages.

use core::ops::Range;
use core::ptr::with_exposed_provenance;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use janus_lfa::partition::{Partition, SecurePartition, Staging};
use janus_lfa::{Component, Progress, Rendezvous, Status};
use janus_spmd::{LogicalPartition, Messenger, Pages, Properties};

/// Where the image lies: the end of the memory that an SPMC may use. Its first page is [`Header`].
pub const MEMORY: Range<usize> = 0x0ee0_0000..0x0f00_0000;

const PAGE: usize = 4096;
/// Pages that one call of LFA_PRIME adds up.
const PIECE: u32 = 8;

/// The components.
pub const COMPONENTS: &[&dyn Component] = &[&PARTITION];

static PARTITION: SecurePartition<Lab> = SecurePartition::new(
    Partition {
        sender: 0xffc8,
        id: 0x8007,
        protocol: [0x8f41_3a6e_0b72_5d19, 0x2c94_e7d5_6a08_b1f3],
        image: 0x5e0a_7c31_48d2_4f96_b3e5_0917_6cda_f284,
        rendezvous: Rendezvous::Optional,
    },
    Lab,
);

/// The EL3 logical partition that asks the SPMC.
pub static AGENT: Agent = Agent;

pub struct Agent;

impl LogicalPartition for Agent {
    fn id(&self) -> u16 {
        0xffc8
    }

    fn uuid(&self) -> [u64; 2] {
        [0x61d8_05f2_9c3b_4ea7, 0xd072_83bc_154f_e69a]
    }

    fn properties(&self) -> Properties {
        Properties::SENDS
    }

    fn start(&self, _: &mut dyn Messenger) {}
}

/// The 64-bit words of the first page, which describes the image.
#[derive(Clone, Copy)]
enum Header {
    /// [`MAGIC`].
    Magic = 0,
    /// `major << 32 | minor`. The image is a new one if this is not the version that runs.
    Version = 1,
    /// The number of the image's pages, which follow this one.
    Pages = 2,
    /// The sum of the image's 64-bit words, without carry.
    Sum = 3,
}

/// "JANUSLFA".
const MAGIC: u64 = u64::from_le_bytes(*b"JANUSLFA");

/// Reads the 64-bit word at offset `word`, in bytes.
fn read(word: usize) -> u64 {
    let at = MEMORY.start + word % (MEMORY.end - MEMORY.start) / 8 * 8;
    // SAFETY: the address is aligned and in memory that `Platform::MEMORY` maps, and any content is a valid u64.
    unsafe { with_exposed_provenance::<u64>(at).read_volatile() }
}

fn header(of: Header) -> u64 {
    read(of as usize * 8)
}

/// The version that runs; it was 1.0 at boot.
static CURRENT: AtomicU64 = AtomicU64::new(1 << 32);
/// How many pages LFA_PRIME has added up, and their sum.
static DONE: AtomicU32 = AtomicU32::new(0);
static SUM: AtomicU64 = AtomicU64::new(0);

/// The source of images in a lab.
struct Lab;

impl Lab {
    /// Returns the number of the image's pages. `None`: there is no image.
    fn pages(&self) -> Option<u32> {
        let room = ((MEMORY.end - MEMORY.start) / PAGE) as u64;
        let pages = header(Header::Pages);
        (header(Header::Magic) == MAGIC && pages > 0 && pages < room).then_some(pages as u32)
    }
}

impl Staging for Lab {
    fn current(&self) -> u64 {
        CURRENT.load(Relaxed)
    }

    fn pending(&self) -> Option<u64> {
        self.pages()?;
        let version = header(Header::Version);
        (version != self.current()).then_some(version)
    }

    fn prime(&self) -> Result<Progress, Status> {
        let pages = self.pages().ok_or(Status::DeviceError)?;
        let from = DONE.load(Relaxed);
        let to = from.saturating_add(PIECE).min(pages);
        let words = (from..to).flat_map(|page| {
            let page = (page as usize).wrapping_add(1).wrapping_mul(PAGE);
            (0..PAGE).step_by(8).map(move |at| page.wrapping_add(at))
        });
        let sum = words.fold(SUM.load(Relaxed), |sum, at| sum.wrapping_add(read(at)));
        if to < pages {
            DONE.store(to, Relaxed);
            SUM.store(sum, Relaxed);
            return Ok(Progress::Again);
        }
        self.cancel();
        if sum == header(Header::Sum) {
            Ok(Progress::Done)
        } else {
            Err(Status::AuthError)
        }
    }

    fn image(&self) -> Result<(Pages, Option<Pages>), Status> {
        let pages = self.pages().ok_or(Status::DeviceError)?;
        let image = Pages::new((MEMORY.start + PAGE) as u64, pages);
        Ok((image.ok_or(Status::DeviceError)?, None))
    }

    fn activated(&self) {
        CURRENT.store(header(Header::Version), Relaxed);
    }

    fn cancel(&self) {
        DONE.store(0, Relaxed);
        SUM.store(0, Relaxed);
    }
}
