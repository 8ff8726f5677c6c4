//! How deep the stack of a core can get: the longest path through the linked image.
//!
//! Two circles are inherent, and each has a bound here: the run loop, which EL3 enters again while it waits for the
//! SPMC, and a value whose display displays another value. Any other circle is refused, because nobody can say how deep
//! it gets.
//!
//! Which pointers a call may use, [`crate::pointers`] says. One thing depends on the path: an argument of a message lies
//! on the stack of the function that made it. So a message displays only what a function on the stack has made: one
//! that computes the address of the function that displays it. It is displayed once for each function that has made it. A
//! display function that makes arguments itself displays these alone, if none of them can display arguments of others. A value that keeps a finished message (`Arguments`),
//! and makes arguments of its own beside it, would be taken for one that does not show the message; EL3 has none.

use crate::call_graph::{Callee, Function, Graph, REPORTS};
use crate::pointers::displays;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The stack has to hold the deepest path and a quarter of that.
const MARGIN: (u64, u64) = (5, 4);

/// A function that may be on the stack more than once, by the end of its name, and how often.
struct Circle {
    name: &'static str,
    most: u8,
}

/// The loop of the SPMC is entered for a request of EL3's, while the normal world's call or a handler's interrupt is
/// handled. The normal world does not run during the request. No second request can begin: `Spmd::request` says
/// `Busy` in every state but the one in which the SPMC serves the normal world (spmd/src/requests.rs), so the
/// platform's code that runs for the SPMC meanwhile is refused. There is one PSCI call at a time too, because the
/// secure world's are refused before anything else (bl31/src/services/psci.rs). So there is one way back from a
/// power-down state: by the warm entry; or, where a suspend kept the power, by `come_back_core`. Both begin with an
/// empty stack. The other circle is messages: a line, in it an error, in it the error's reason, in it a number.
const CIRCLES: [Circle; 5] = [
    Circle {
        name: "janus_bl31::run::run_spmc",
        most: 1,
    },
    Circle {
        name: "janus_bl31::requests::answer",
        most: 1,
    },
    Circle {
        name: "janus_bl31::services::psci::come_back",
        most: 1,
    },
    Circle {
        name: "janus_bl31::services::psci::carry_out",
        most: 1,
    },
    Circle {
        name: "core::fmt::write",
        most: 4,
    },
];

/// The position of the function that writes a message.
const WRITE: usize = 4;
/// The functions in which the SPMC runs alone: its boot, a request to it, and the way back from a power-down state.
const SPMC_ALONE: [&str; 3] = [
    "janus_bl31::boot::set_up_worlds",
    CIRCLES[1].name,
    CIRCLES[2].name,
];
/// The functions that carry out calls of the normal world. They are not called inside of those.
const OF_NORMAL: [&str; 2] = [CIRCLES[3].name, "janus_bl31::services::lfa::carry_out"];

/// No message is under way where the SPMC's loop is entered: what functions further out have made for their messages is not
/// displayed inside of it.
const NO_MESSAGE: &str = CIRCLES[0].name;

/// Where a core enters Rust, with its stack empty.
const ENTRIES: [&str; 4] = ["boot_main", "warm_main", "run_core", "come_back_core"];
/// Where the boot core does that first.
const BOOT: [&str; 1] = ["cold_main"];
/// What entry.S calls before and after that, with the stack empty as well. Not every image has all of them.
const EARLY_AND_LATE: [&str; 5] = [
    "build_page_tables",
    "cold_core_index",
    "reset_core",
    "before_cleaning",
    "power_down_now",
];

/// The deepest path: its bytes, and the functions on it with their frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Deepest {
    /// Bytes from the stack's top.
    bytes: u64,
    /// Names and frames, outermost first.
    path: Vec<(String, u64)>,
}

/// The sizes of the stacks that an image has, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Stacks {
    /// The stack that each core has for itself, in bytes.
    pub core: u64,
    /// What the boot core has while it sets the machine up, in bytes.
    pub boot: u64,
    /// The stack for crash reports, in bytes.
    pub crash: u64,
}

/// Checks that the stacks hold the deepest paths with their margin.
///
/// # Errors
/// The image lacks an entry, has a circle without a bound, or a stack is too small: the message has the path.
pub fn check(graph: &Graph, stacks: Stacks) -> Result<()> {
    let mut entries = ENTRIES.to_vec();
    let has = |name: &&str| graph.functions.values().any(|f| f.name == *name);
    entries.extend(EARLY_AND_LATE.into_iter().filter(has));
    for (whose, entries, size) in [
        ("a core's stack", &*entries, stacks.core),
        ("the boot core's stack", &BOOT, stacks.boot),
        ("the stack for crash reports", &REPORTS, stacks.crash),
    ] {
        let deepest = graph.deepest(entries)?;
        let needed = deepest.bytes * MARGIN.0 / MARGIN.1;
        if needed > size {
            let lines = deepest.path.iter();
            let path: Vec<_> = lines
                .map(|(name, frame)| format!("{frame:6}  {name}"))
                .collect();
            bail!(
                "{whose} has {size} bytes, and the deepest path takes {} of them (with its margin {needed}): give the large frames to functions that have returned by then, or make the stack larger\n{}",
                deepest.bytes,
                path.join("\n")
            );
        }
    }
    Ok(())
}

impl Graph {
    fn deepest(&self, entries: &[&str]) -> Result<Deepest> {
        let mut deepest = Deepest::default();
        for entry in entries {
            let found = self.functions.iter().find(|(_, f)| f.name == *entry);
            let (&address, _) =
                found.with_context(|| format!("the image has no function {entry}"))?;
            let found = self.deepest_from(address)?;
            if found.bytes > deepest.bytes {
                deepest = found;
            }
        }
        Ok(deepest)
    }

    fn deepest_from(&self, entry: u64) -> Result<Deepest> {
        let mut search = Search::new(self);
        let start = (entry, Inside::default());
        let bytes = search.depth(start)?;
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(call) = at {
            let function = &self.functions[&call.0];
            path.push((function.name.clone(), function.frame));
            at = search.known[&search.entered(function, call)].1;
        }
        Ok(Deepest { bytes, path })
    }
}

/// What is on the stack when a function is called, as far as it matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Inside {
    /// How often the function of each circle in [`CIRCLES`] is on the stack.
    counts: [u8; CIRCLES.len()],
    /// A function in which the SPMC runs alone.
    spmc: bool,
    /// The arguments of messages that functions on the stack have made, by the functions that display them. Each has a
    /// bit; two of them may share one. The first set has those that one function has made or more, the next those that
    /// two have made or more, and so on: a message in another has at most three around it.
    shown: [u128; CIRCLES[WRITE].most as usize - 1],
}

/// A function, and what is on the stack when it is called.
type Call = (u64, Inside);

struct Search<'a> {
    graph: &'a Graph,
    /// What each function can call.
    callees: BTreeMap<u64, Vec<Callee>>,
    /// The functions that display an argument of a message, and the bits of those that each of them makes itself.
    shows: BTreeMap<u64, Shows>,
    /// The depth of each call, and the next call on the deepest path.
    known: HashMap<Call, (u64, Option<Call>)>,
    /// The calls under way, to find circles.
    open: Vec<Call>,
}

/// A function that displays an argument of a message.
struct Shows {
    /// Its bit.
    bit: u128,
    /// What it displays was made by itself, so what functions further out have made does not count inside of it.
    own: bool,
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph) -> Self {
        let callees = graph.functions.iter().map(|(at, function)| {
            let callees: BTreeSet<_> = graph.callees(function).collect();
            (*at, callees.into_iter().collect())
        });
        let mut search = Search {
            graph,
            callees: callees.collect(),
            shows: BTreeMap::new(),
            known: HashMap::new(),
            open: Vec::new(),
        };
        let shows = graph.functions.iter().filter(|(_, f)| displays(&f.name));
        for (number, (at, _)) in shows.enumerate() {
            let (bit, own) = (1 << (number % 128), false);
            search.shows.insert(*at, Shows { bit, own });
        }
        let owners: Vec<u64> = search
            .shows
            .keys()
            .copied()
            .filter(|at| search.shows_own(*at))
            .collect();
        for at in owners {
            search.shows.entry(at).and_modify(|shows| shows.own = true);
        }
        search
    }

    /// Whether all that a display function displays is made by itself: it makes arguments, and none of them is one that
    /// can display what others have made. That is one that writes a message and makes no arguments.
    fn shows_own(&self, at: u64) -> bool {
        let made = |at: u64| {
            let computes = self.graph.functions[&at].computes.iter();
            computes.filter(|at| self.shows.contains_key(at))
        };
        let forwards = |at: &u64| made(*at).next().is_none() && self.writes(*at);
        made(at).next().is_some() && !made(at).any(forwards)
    }

    /// Whether a function can write a message, other than through a pointer to a display function.
    fn writes(&self, at: u64) -> bool {
        let (mut seen, mut next) = (BTreeSet::from([at]), vec![at]);
        while let Some(at) = next.pop() {
            if self.graph.name(at) == CIRCLES[WRITE].name {
                return true;
            }
            let callees = self.callees.get(&at).into_iter().flatten();
            let callees = callees.filter(|c| !c.shown).map(|c| c.address);
            next.extend(callees.filter(|at| seen.insert(*at)));
        }
        false
    }

    /// What is on the stack inside of `function`.
    fn entered(&self, function: &Function, (address, mut inside): Call) -> Call {
        for (circle, count) in CIRCLES.iter().zip(&mut inside.counts) {
            *count += u8::from(function.name == circle.name);
        }
        inside.spmc |= SPMC_ALONE.contains(&function.name.as_str());
        if function.name == NO_MESSAGE || self.shows.get(&address).is_some_and(|shows| shows.own) {
            inside.shown = Default::default();
        }
        // What it displays is one of those that were made, and not inside of itself.
        let own = self.bit(address);
        if let Some(last) = inside.shown.iter_mut().rfind(|set| **set & own != 0) {
            *last &= !own;
        }
        let made = function.computes.iter().map(|at| self.bit(*at));
        let mut more = made.fold(0, |all, bit| all | bit);
        for set in &mut inside.shown {
            let both = *set & more;
            *set |= more;
            more = both;
        }
        (address, inside)
    }

    /// The bit of a function that displays an argument; none for another function.
    fn bit(&self, function: u64) -> u128 {
        self.shows.get(&function).map_or(0, |shows| shows.bit)
    }

    fn depth(&mut self, call: Call) -> Result<u64> {
        let graph = self.graph;
        let Some(function) = graph.functions.get(&call.0) else {
            return Ok(0);
        };
        let never = call.1.spmc && OF_NORMAL.contains(&function.name.as_str());
        let call = self.entered(function, call);
        let inside = call.1;
        if never || CIRCLES.iter().zip(inside.counts).any(|(c, n)| n > c.most) {
            return Ok(0);
        }
        if let Some((depth, _)) = self.known.get(&call) {
            return Ok(*depth);
        }
        if let Some(from) = self.open.iter().position(|open| *open == call) {
            let names: Vec<&str> = self.open[from..]
                .iter()
                .map(|(address, _)| graph.functions[address].name.as_str())
                .collect();
            bail!(
                "functions that call each other without a bound: {}",
                names.join(" -> ")
            );
        }
        self.open.push(call);
        let (mut below, mut next) = (0, None);
        for index in 0..self.callees[&call.0].len() {
            let Callee { address, shown } = self.callees[&call.0][index];
            if shown && self.bit(address) & inside.shown[0] == 0 {
                continue;
            }
            let depth = self.depth((address, inside))?;
            if depth > below {
                (below, next) = (depth, Some((address, inside)));
            }
        }
        self.open.pop();
        let depth = function.frame + below;
        self.known.insert(call, (depth, next));
        Ok(depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call_graph::tests::{CALLS_METHOD, graph, image};
    use crate::pointer_calls::Source;
    use crate::pointers::{Place, Pointer};

    #[test]
    fn the_deepest_path_counts_circles_and_pointers() {
        let run = CIRCLES[0].name;
        let graph = graph(
            &[
                (1, "main", 16, &[3], false),
                (2, run, 100, &[3], false),
                (3, "psci", 50, &[2, 4], false),
                (4, "say", 10, &[], true),
                (5, "log", 30, &[], false),
            ],
            &[5],
        );
        let deepest = graph.deepest_from(1).unwrap();
        assert_eq!(deepest.bytes, 16 + 50 + 100 + 50 + 40);
        assert_eq!(deepest.path.len(), 1 + 3 + 2);
    }

    #[test]
    fn a_call_of_psci_is_not_inside_of_a_way_back() {
        let [run, _, back, call, _] = CIRCLES.map(|circle| circle.name);
        let mut functions = [
            (1, "main", 16, &[2][..], false),
            (2, back, 100, &[3], false),
            (3, run, 10, &[4], false),
            (4, call, 1000, &[3], false),
        ];
        let bytes = |functions: &[_]| graph(functions, &[]).deepest_from(1).unwrap().bytes;
        assert_eq!(bytes(&functions), 16 + 100 + 10);
        // The other way round, each is on the stack once.
        functions[0].3 = &[4];
        functions[2].3 = &[2];
        assert_eq!(bytes(&functions), 16 + 1000 + 10 + 100);
    }

    #[test]
    fn a_circle_without_a_bound_is_refused() {
        let graph = graph(&[(1, "a", 16, &[2], false), (2, "b", 16, &[1], false)], &[]);
        let error = graph.deepest_from(1).unwrap_err().to_string();
        assert!(error.contains("a -> b"), "{error}");
    }

    #[test]
    fn a_circle_through_a_vtable_in_mergeable_data_is_refused() {
        // The method calls the method of a vtable that its argument has, which may be its own.
        let functions = [("main", CALLS_METHOD), ("method", CALLS_METHOD)];
        // SHF_MERGE and SHF_STRINGS. The last word points to the vtable.
        let bytes = image(&functions, &[0, 0, 1, 0x1010, 0x8000], 0x30);
        let file = object::File::parse(&*bytes).unwrap();
        let error = Graph::read(&file).unwrap().deepest(&["main"]).unwrap_err();
        assert!(error.to_string().ends_with("bound: method"), "{error}");
    }

    #[test]
    fn a_message_displays_what_a_function_on_the_stack_has_made() {
        let function = |name: &str, frame, calls: &[u64], computes: &[u64]| Function {
            name: name.to_owned(),
            frame,
            calls: calls.iter().copied().collect(),
            computes: computes.iter().copied().collect(),
            through: (name == CIRCLES[WRITE].name)
                .then_some(Source::Slot(8))
                .into_iter()
                .collect(),
        };
        let bytes = |fault: Function, further_out: &[u64]| {
            let functions = [
                function("main", 1, &[2], further_out),
                function("says", 10, &[3], &[4]),
                function(CIRCLES[WRITE].name, 100, &[], &[]),
                fault,
                function("<Number as core::fmt::Display>::fmt", 2000, &[], &[]),
                function("<Other as core::fmt::Display>::fmt", 4000, &[], &[]),
                function("elsewhere", 0, &[], &[6]),
            ];
            let pointers = (4..=6).map(|to| Pointer {
                to,
                place: Place::Code,
            });
            let graph = Graph {
                functions: (1..).zip(functions).collect(),
                pointers: pointers.collect(),
            };
            graph.deepest_from(1).unwrap().bytes
        };
        let name = "<Fault as core::fmt::Display>::fmt";
        let without = || function(name, 500, &[], &[]);
        let of_others = || function(name, 500, &[3], &[]);
        let of_its_own = |made| function(name, 500, &[3], made);
        // A fault without arguments, and the number of a function further out.
        assert_eq!(bytes(without(), &[5]), 1 + 10 + 100 + 2000);
        // One that writes what others have made: the number.
        assert_eq!(bytes(of_others(), &[5]), 1 + 10 + 2 * 100 + 500 + 2000);
        // Two functions have made it, so that it may be inside of itself.
        assert_eq!(
            bytes(of_others(), &[4, 5]),
            1 + 10 + 3 * 100 + 2 * 500 + 2000
        );
        // One that has arguments of its own shows these alone.
        assert_eq!(bytes(of_its_own(&[6]), &[5]), 1 + 10 + 2 * 100 + 500 + 4000);
        // One of its arguments is itself: the circle ends by its bound.
        assert_eq!(bytes(of_its_own(&[4]), &[]), 1 + 10 + 4 * 100 + 4 * 500);
    }
}
