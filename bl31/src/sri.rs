//! The schedule receiver interrupt (SRI): tells the normal world that a partition has notifications
//! (DEN0077A, "Notification signals").
//!
//! Most SPMCs raise it themselves. For an SPMC that rings the doorbell instead, and for EL3's own
//! logical partitions, EL3 raises it here. It is *delayed*: a request is kept until this core enters
//! the normal world. So the SPMC is not preempted by it, and several requests become one interrupt.
//!
//! No request is lost. A core that turns off hands its request to a core that is on. If the SPMC rings at a
//! core that is off, the core on which it runs finds that on its way back to the normal world, and that
//! normal world gets the interrupt instead. The order of steps closes the race between the two: a core that
//! turns off first sets its bit in `AWAY` and then looks for a doorbell; the other core first rings and
//! then looks at `AWAY`. At least one of them sees the other.

use crate::hw::{gic, shared};
use crate::sgis::Sri;
use crate::system::Spmc;
use crate::topology;
use core::sync::atomic::{AtomicU32, Ordering};
use janus_plat::{Plat, Platform};

/// What an entry into the normal world has to do for the SRI on this core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests(u8);

impl Requests {
    /// Makes an empty set.
    pub const NONE: Self = Self(0);
    /// Raise the SRI.
    const RAISE: u8 = 1 << 0;
    /// Look whether the SPMC rang at a core that is off. This bit stays set.
    const LOOK: u8 = 1 << 1;

    /// Returns whether there is anything to do.
    #[inline(always)]
    pub const fn any(self) -> bool {
        self.0 != 0
    }
}

shared! {
    static AWAY: Away = Away::new();
}
const _: () = assert!(Plat::MAX_CORES <= u32::BITS as usize);

/// Notes that core `index` is off.
pub fn away(index: usize) {
    AWAY.leave(index);
}

/// Notes that core `index` is on. `doorbell` says whether its SPMC uses a doorbell.
pub fn start(requests: &mut Requests, index: usize, doorbell: bool) {
    AWAY.arrive(index);
    if doorbell {
        requests.0 |= Requests::LOOK;
    }
}

/// Requests the SRI for the normal world of this core. It is raised when that world runs next.
pub fn request(requests: &mut Requests) {
    requests.0 |= Requests::RAISE;
}

/// Raises the SRI on core `index`, whose normal world is about to run, if it was requested there or the SPMC rang at a
/// core that is off.
#[cold]
pub fn deliver(requests: &mut Requests, spmc: &Spmc, index: usize) {
    AWAY.deliver(&Machine(&spmc.sri), requests, index);
}

/// Notes that core `index` is about to be off, and hands its request to a core that stays on.
pub fn hand_over(requests: &mut Requests, spmc: Option<&Spmc>, index: usize) {
    match spmc {
        Some(spmc) => AWAY.hand_over(&Machine(&spmc.sri), requests, index),
        None => AWAY.leave(index),
    }
}

/// Returns the affinity of a core that is on and not about to be off.
pub fn core_that_is_on() -> Option<u64> {
    let away = Word::load(&AWAY.0);
    let on = |&index: &usize| topology::core_exists(index) && away & bit(index) == 0;
    (0..Plat::MAX_CORES).find(on).map(Plat::mpidr)
}

/// The cores that are off or about to be, one bit per core.
struct Away<W = AtomicU32>(W);

/// A word that cores share: an atomic, or in the tests loom's model of one. All accesses are sequentially consistent:
/// every core sees a change of the word before what the changing core reads or writes next.
trait Word {
    fn load(&self) -> u32;
    fn set(&self, bits: u32);
    fn clear(&self, bits: u32);
}

impl Word for AtomicU32 {
    fn load(&self) -> u32 {
        self.load(Ordering::SeqCst)
    }

    fn set(&self, bits: u32) {
        self.fetch_or(bits, Ordering::SeqCst);
    }

    fn clear(&self, bits: u32) {
        self.fetch_and(!bits, Ordering::SeqCst);
    }
}

/// The interrupts and cores of the machine. The tests have a model of their own.
trait Signals {
    /// Takes the doorbell of each of `cores` (one bit per core). Returns whether it was rung at one of them.
    fn take_doorbells(&self, cores: u32) -> bool;
    /// Sends the SRI to the normal world of core `index`.
    fn send(&self, index: usize);
    /// Returns whether the machine has core `index`.
    fn exists(&self, index: usize) -> bool;
}

/// The real machine, with the SPMC's interrupts.
struct Machine<'a>(&'a Sri);

impl Signals for Machine<'_> {
    fn take_doorbells(&self, cores: u32) -> bool {
        let at = |mpidr| Plat::core_index(mpidr).is_some_and(|index| cores & bit(index) != 0);
        let taken = |doorbell| gic::take_doorbells(doorbell, &at);
        self.0.doorbell.is_some_and(taken)
    }

    fn send(&self, index: usize) {
        gic::send_to_normal_world(self.0.id, Plat::mpidr(index));
    }

    fn exists(&self, index: usize) -> bool {
        topology::core_exists(index)
    }
}

const fn bit(index: usize) -> u32 {
    1_u32.wrapping_shl(index as u32)
}

impl Away {
    const fn new() -> Self {
        Self(AtomicU32::new(0))
    }
}

impl<W: Word> Away<W> {
    fn leave(&self, index: usize) {
        self.0.set(bit(index));
    }

    fn arrive(&self, index: usize) {
        self.0.clear(bit(index));
    }

    /// See [`deliver`].
    fn deliver(&self, signals: &impl Signals, requests: &mut Requests, index: usize) {
        let mut raise = requests.0 & Requests::RAISE != 0;
        requests.0 &= !Requests::RAISE;
        raise |= self.take_missed_ring(signals);
        if raise {
            signals.send(index);
        }
    }

    /// Takes the doorbells of the cores that are away. Returns whether one was rung.
    fn take_missed_ring(&self, signals: &impl Signals) -> bool {
        let away = self.0.load();
        away != 0 && signals.take_doorbells(away)
    }

    /// See [`hand_over`].
    fn hand_over(&self, signals: &impl Signals, requests: &mut Requests, index: usize) {
        self.leave(index);
        let rung = self.take_missed_ring(signals);
        if requests.0 & Requests::RAISE != 0 || rung {
            self.pass_on(signals, requests);
        }
    }

    /// Sends the SRI to a core that is on and stays on.
    #[cold]
    #[inline(never)]
    fn pass_on(&self, signals: &impl Signals, requests: &mut Requests) {
        // If no other core is on, the request stays here for the next start of this core.
        requests.0 |= Requests::RAISE;
        for index in 0..Plat::MAX_CORES {
            if signals.exists(index) && self.0.load() & bit(index) == 0 {
                signals.send(index);
                // If that core went away meanwhile, it may have handed over its interrupts before this one came: try
                // the next core.
                if self.0.load() & bit(index) == 0 {
                    requests.0 &= !Requests::RAISE;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Every interleaving of the cores' accesses to what they share. loom models a sequentially consistent load or
    //! store as weaker than it is. All accesses here are therefore read-modify-writes.

    use super::{Away, Requests, Signals, Word};
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
    use loom::thread;

    impl Word for AtomicU32 {
        fn load(&self) -> u32 {
            self.fetch_or(0, SeqCst)
        }

        fn set(&self, bits: u32) {
            self.fetch_or(bits, SeqCst);
        }

        fn clear(&self, bits: u32) {
            self.fetch_and(!bits, SeqCst);
        }
    }

    fn get(flag: &AtomicBool) -> bool {
        flag.fetch_or(false, SeqCst)
    }

    /// The cores, which of them have a doorbell pending, and which were sent the SRI.
    struct Cores<const N: usize> {
        away: Away<AtomicU32>,
        doorbells: [AtomicBool; N],
        sent: [AtomicBool; N],
        /// The cores that had the SRI already when they had noted that they are away and looked for doorbells.
        had: [AtomicBool; N],
    }

    /// The machine as one core sees it.
    struct Seen<'a, const N: usize>(&'a Cores<N>, usize);

    impl<const N: usize> Signals for Seen<'_, N> {
        fn take_doorbells(&self, cores: u32) -> bool {
            let Self(machine, me) = *self;
            if cores & super::bit(me) != 0 && get(&machine.sent[me]) {
                machine.had[me].swap(true, SeqCst);
            }
            let mut any = false;
            for (index, doorbell) in machine.doorbells.iter().enumerate() {
                // As with the GIC: read, then written if it was set.
                if cores & super::bit(index) != 0 && get(doorbell) {
                    doorbell.swap(false, SeqCst);
                    any = true;
                }
            }
            any
        }

        fn send(&self, index: usize) {
            self.0.sent[index].swap(true, SeqCst);
        }

        fn exists(&self, index: usize) -> bool {
            index < N
        }
    }

    impl<const N: usize> Cores<N> {
        fn new(away: u32) -> Arc<Self> {
            Arc::new(Self {
                away: Away(AtomicU32::new(away)),
                doorbells: std::array::from_fn(|_| AtomicBool::new(false)),
                sent: std::array::from_fn(|_| AtomicBool::new(false)),
                had: std::array::from_fn(|_| AtomicBool::new(false)),
            })
        }

        /// The SPMC, which runs on core `me`, rings at core `there`. Then the normal world of `me` goes on.
        fn rings(&self, me: usize, there: usize) {
            self.doorbells[there].swap(true, SeqCst);
            let mut requests = Requests(Requests::LOOK);
            self.away.deliver(&Seen(self, me), &mut requests, me);
        }

        /// Turns core `me` off, with or without a request. Returns whether it keeps a request.
        fn turns_off(&self, me: usize, request: bool) -> bool {
            let mut requests = Requests(if request { Requests::RAISE } else { 0 });
            self.away.hand_over(&Seen(self, me), &mut requests, me);
            requests.0 & Requests::RAISE != 0
        }

        /// Returns whether an SRI was sent to a core that is on, or to one that had it before it went away.
        fn arrived(&self) -> bool {
            let away = Word::load(&self.away.0);
            (0..N).any(|index| {
                get(&self.had[index]) || get(&self.sent[index]) && away & super::bit(index) == 0
            })
        }
    }

    #[test]
    fn a_doorbell_rung_at_a_core_that_turns_off_is_heard() {
        loom::model(|| {
            let cores = Cores::<2>::new(0);
            let other = cores.clone();
            let other = thread::spawn(move || other.turns_off(1, false));
            cores.rings(0, 1);
            assert!(!other.join().unwrap());
            assert!(cores.arrived(), "the SRI is lost");
            assert!(!get(&cores.doorbells[1]), "the doorbell is still rung");
        });
    }

    /// A core that comes on takes its doorbell itself, unless another core has taken it.
    #[test]
    fn a_doorbell_rung_at_a_core_that_comes_on_is_heard() {
        loom::model(|| {
            let cores = Cores::<2>::new(super::bit(1));
            let other = cores.clone();
            let other = thread::spawn(move || other.away.arrive(1));
            cores.rings(0, 1);
            other.join().unwrap();
            assert!(cores.arrived() || get(&cores.doorbells[1]));
        });
    }

    #[test]
    fn a_request_goes_to_a_core_that_stays_on() {
        loom::model(|| {
            let cores = Cores::<3>::new(0);
            let other = cores.clone();
            let other = thread::spawn(move || other.turns_off(0, false));
            assert!(!cores.turns_off(1, true));
            other.join().unwrap();
            assert!(cores.arrived(), "the SRI is lost");
        });
    }

    #[test]
    fn two_requests_of_cores_that_turn_off_arrive_or_are_kept() {
        loom::model(|| {
            let cores = Cores::<2>::new(0);
            let other = cores.clone();
            let other = thread::spawn(move || other.turns_off(0, true));
            let kept = cores.turns_off(1, true);
            let kept = other.join().unwrap() || kept;
            assert!(kept || cores.arrived(), "both are lost");
        });
    }
}
