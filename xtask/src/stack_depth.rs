//! How deep the stack of a core can get: the longest path through the linked image.
//!
//! Two circles are inherent, and each has a bound here: the run loop, which EL3 enters again while it waits for the
//! SPMC, and a value whose display displays another value. Any other circle is refused, because nobody can say how deep
//! it gets.

use crate::call_graph::{Function, Graph, REPORTS};
use anyhow::{Context, Result, bail};
use std::collections::HashMap;

/// The stack has to hold the deepest path and a quarter of that.
const MARGIN: (u64, u64) = (5, 4);

/// A function that may be on the stack more than once, by the end of its name, and how often.
struct Circle {
    name: &'static str,
    most: u8,
}

/// The run loop is entered for the normal world's call or a handler's interrupt, and once more for a request of EL3's
/// to the SPMC. The normal world does not run during the request. No second request can begin: `Spmd::request` says
/// `Busy` in every state but the one in which the SPMC serves the normal world (spmd/src/requests.rs), so the
/// platform's code that runs for the SPMC meanwhile is refused. There is one PSCI call at a time too, because the
/// secure world's are refused before anything else (bl31/src/services/psci.rs). So there is one way back from a
/// power-down state: by the warm entry, without a run loop on the stack; or, where a suspend kept the power, in its
/// call. The other circle is messages: a line, in it an error, in it the error's reason, in it a number.
/// in it the error's reason, in it a number.
const CIRCLES: [Circle; 4] = [
    Circle {
        name: "janus_bl31::run::run_worlds",
        most: 2,
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

/// Inside the first function the second one is not called again: on the way back from a power-down state the SPMC runs.
/// The normal world, whose calls are PSCI's, does not.
const NOT_INSIDE: (&str, &str) = (CIRCLES[1].name, CIRCLES[2].name);

/// Where a core enters Rust, with its stack empty.
const ENTRIES: [&str; 2] = ["cold_main", "warm_main"];

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
    /// The stack for crash reports, in bytes.
    pub crash: u64,
}

/// Checks that the stacks hold the deepest paths with their margin.
///
/// # Errors
/// The image lacks an entry, has a circle without a bound, or a stack is too small: the message has the path.
pub fn check(graph: &Graph, stacks: Stacks) -> Result<()> {
    for (whose, entries, size) in [
        ("a core's stack", &ENTRIES, stacks.core),
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
        let mut search = Search {
            graph: self,
            known: HashMap::new(),
            open: Vec::new(),
        };
        let bytes = search.depth(entry, [0; CIRCLES.len()])?;
        let mut path = Vec::new();
        let mut at = Some((entry, [0; CIRCLES.len()]));
        while let Some((address, counts)) = at {
            let function = &self.functions[&address];
            path.push((function.name.clone(), function.frame));
            at = search.known[&(address, search.counted(function, counts))].1;
        }
        Ok(Deepest { bytes, path })
    }
}

/// How often the function of each circle in [`CIRCLES`] is on the stack.
type Counts = [u8; CIRCLES.len()];

/// A function, and the counts when it is called.
type Call = (u64, Counts);

struct Search<'a> {
    graph: &'a Graph,
    /// The depth of each function with its counts, and the next call on the deepest path.
    known: HashMap<Call, (u64, Option<Call>)>,
    /// The calls under way, to find circles.
    open: Vec<Call>,
}

impl Search<'_> {
    fn counted(&self, function: &Function, mut counts: Counts) -> Counts {
        for (circle, count) in CIRCLES.iter().zip(&mut counts) {
            *count += u8::from(function.name == circle.name);
            if (function.name.as_str(), circle.name) == NOT_INSIDE {
                *count = circle.most;
            }
        }
        counts
    }

    fn depth(&mut self, address: u64, counts: Counts) -> Result<u64> {
        let graph = self.graph;
        let Some(function) = graph.functions.get(&address) else {
            return Ok(0);
        };
        let counts = self.counted(function, counts);
        if CIRCLES.iter().zip(counts).any(|(c, n)| n > c.most) {
            return Ok(0);
        }
        let key = (address, counts);
        if let Some((depth, _)) = self.known.get(&key) {
            return Ok(*depth);
        }
        if let Some(from) = self.open.iter().position(|open| *open == key) {
            let names: Vec<&str> = self.open[from..]
                .iter()
                .map(|(address, _)| graph.functions[address].name.as_str())
                .collect();
            bail!(
                "functions that call each other without a bound: {}",
                names.join(" -> ")
            );
        }
        self.open.push(key);
        let (mut below, mut next) = (0, None);
        for callee in graph.callees(function) {
            let depth = self.depth(callee, counts)?;
            if depth > below {
                (below, next) = (depth, Some((callee, counts)));
            }
        }
        self.open.pop();
        let depth = function.frame + below;
        self.known.insert(key, (depth, next));
        Ok(depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(functions: &[(u64, &str, u64, &[u64], bool)], taken: &[u64]) -> Graph {
        let functions = functions.iter().map(|(at, name, frame, calls, indirect)| {
            let function = Function {
                name: (*name).to_owned(),
                frame: *frame,
                calls: calls.iter().copied().collect(),
                indirect: *indirect,
            };
            (*at, function)
        });
        Graph {
            functions: functions.collect(),
            taken: taken.iter().copied().collect(),
        }
    }

    #[test]
    fn the_deepest_path_counts_circles_and_pointers() {
        let run = CIRCLES[0].name;
        let graph = graph(
            &[
                (1, "main", 16, &[2], false),
                (2, run, 100, &[3], false),
                (3, "psci", 50, &[2, 4], false),
                (4, "say", 10, &[], true),
                (5, "log", 30, &[], false),
            ],
            &[5],
        );
        let deepest = graph.deepest_from(1).unwrap();
        assert_eq!(deepest.bytes, 16 + 2 * 150 + 40);
        assert_eq!(deepest.path.len(), 1 + 2 * 2 + 2);
    }

    #[test]
    fn a_call_of_psci_is_not_inside_of_a_way_back() {
        let [run, back, call, _] = CIRCLES.map(|circle| circle.name);
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
        assert_eq!(bytes(&functions), 16 + 1000 + 10 + 100 + 10);
    }

    #[test]
    fn a_circle_without_a_bound_is_refused() {
        let graph = graph(&[(1, "a", 16, &[2], false), (2, "b", 16, &[1], false)], &[]);
        let error = graph.deepest_from(1).unwrap_err().to_string();
        assert!(error.contains("a -> b"), "{error}");
    }
}
