//! The schedule receiver interrupt (SRI): tells the normal world that a partition has notifications
//! (DEN0077A, "Notification signals").
//!
//! Most SPMCs raise it themselves. For those that ring the doorbell instead, and for EL3's own
//! logical partitions, EL3 does it here. It is *delayed*: a request is kept until this core enters
//! the normal world, so that the SPMC is not preempted by it, and any number of requests become one
//! interrupt.
//!
//! None is lost. A core that turns off hands its request to one that is on. A doorbell rung at a core
//! that is off is found by the core that rang it, on its way back to the normal world, which gets the
//! interrupt instead. Between the two: a core first says that it is away and then looks for a
//! doorbell; who rings first rings and then looks who is away.

use crate::hw::{gic, shared};
use crate::system::{Spmc, Sri};
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
    /// Look whether the SPMC rang at a core that is off. Stays set.
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

/// Core `index` is off.
pub fn away(index: usize) {
    AWAY.leave(index);
}

/// Core `index` is on; its SPMC rings the doorbell if `doorbell` says so.
pub fn start(requests: &mut Requests, index: usize, doorbell: bool) {
    AWAY.arrive(index);
    if doorbell {
        requests.0 |= Requests::LOOK;
    }
}

/// Has the normal world of this core get the SRI when it runs next.
pub fn request(requests: &mut Requests) {
    requests.0 |= Requests::RAISE;
}

/// Does what is to be done for core `index`, whose normal world is about to run.
#[cold]
pub fn deliver(requests: &mut Requests, spmc: &Spmc, index: usize) {
    AWAY.deliver(&Machine(&spmc.sri), requests, index);
}

/// Core `index` is about to be off: what is wanted there goes to a core that stays on.
pub fn hand_over(requests: &mut Requests, spmc: Option<&Spmc>, index: usize) {
    match spmc {
        Some(spmc) => AWAY.hand_over(&Machine(&spmc.sri), requests, index),
        None => AWAY.leave(index),
    }
}

/// The affinity of a core that is on, and not about to be off.
pub fn core_that_is_on() -> Option<u64> {
    let away = Word::load(&AWAY.0);
    let on = |&index: &usize| topology::core_exists(index) && away & bit(index) == 0;
    (0..Plat::MAX_CORES).find(on).map(Plat::mpidr)
}

/// The cores that are off, or about to be: a bit each.
struct Away<W = AtomicU32>(W);

/// A word that cores share: an atomic one, or that of the model that the tests explore. What one core does
/// to it and what it then reads elsewhere are in the same order for all.
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

/// The interrupts that this is about, and the cores.
trait Signals {
    /// Whether the doorbell was rung at one of `cores` (a bit each). It counts as taken.
    fn take_doorbells(&self, cores: u32) -> bool;
    /// Sends the SRI to the normal world of core `index`.
    fn send(&self, index: usize);
    /// Whether the machine has core `index`.
    fn exists(&self, index: usize) -> bool;
}

/// Those of this machine.
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

    /// Takes over a ring of the SPMC at a core that is away. Returns whether there was one.
    fn take_missed_ring(&self, signals: &impl Signals) -> bool {
        let away = self.0.load();
        away != 0 && signals.take_doorbells(away)
    }

    /// See [`hand_over`].
    fn hand_over(&self, signals: &impl Signals, requests: &mut Requests, index: usize) {
        self.leave(index);
        let rung = self.take_missed_ring(signals);
        if requests.0 & Requests::RAISE == 0 && !rung {
            return;
        }
        // With nobody else on it stays here, for the next start of this core.
        requests.0 |= Requests::RAISE;
        for index in 0..Plat::MAX_CORES {
            if signals.exists(index) && self.0.load() & bit(index) == 0 {
                signals.send(index);
                // Not if that core said meanwhile that it is away: what it had it has handed over already.
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
    //! Every interleaving of the cores' accesses to what they share. loom takes a sequentially consistent load or
    //! store for less than it is, so that all accesses here read and write in one.

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

    /// Cores, the doorbells that wait at each, and the SRIs that each was sent.
    struct Cores<const N: usize> {
        away: Away<AtomicU32>,
        doorbells: [AtomicBool; N],
        sent: [AtomicBool; N],
        /// The SRI that a core had got when it had said that it is away, and looked for doorbells.
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
                // As the GIC has it: read, and written where it was set.
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

        /// The SPMC of core `me`, which runs, rings at `there`; then the normal world of `me` goes on.
        fn rings(&self, me: usize, there: usize) {
            self.doorbells[there].swap(true, SeqCst);
            let mut requests = Requests(Requests::LOOK);
            self.away.deliver(&Seen(self, me), &mut requests, me);
        }

        /// Core `me` turns off with a request, or without; whether it keeps it.
        fn turns_off(&self, me: usize, request: bool) -> bool {
            let mut requests = Requests(if request { Requests::RAISE } else { 0 });
            self.away.hand_over(&Seen(self, me), &mut requests, me);
            requests.0 & Requests::RAISE != 0
        }

        /// Whether an SRI went to a core that is on, or that had it before it went.
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

    /// One that comes on takes the doorbell's interrupt itself, if nobody has done so for it.
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
