//! No value that a world puts into a register can make EL3 panic: from the run loop no path through the linked
//! image leads to a panic.
//!
//! The run loop is all that runs once a world has been entered: the dispatch to the services, FF-A, PSCI, the
//! world switch, interrupts and traps. What comes before it, the boot, may panic; it has no caller to serve.

use crate::call_graph::Graph;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, VecDeque};

/// Where a world's exit is handled, and all that follows.
const RUN_LOOP: &str = "run_core";

/// What is not searched: the GIC's driver crate, and the code that saves and restores the GIC over a loss of power.
/// They check numbers of interrupts and registers, which come from the GIC and the platform's tables and never from a
/// register of a world.
const DRIVER: [&str; 5] = [
    "arm_gic::",
    "janus_drivers::gic::Gic::save",
    "janus_drivers::gic::Gic::restore",
    "janus_drivers::gic::Redistributor::save",
    "janus_drivers::gic::Redistributor::restore",
];

/// A function that only a panic calls.
fn panics(name: &str) -> bool {
    name.starts_with("core::panicking::") || name.contains("rust_begin_unwind")
}

/// Checks that no panic can be reached from the run loop.
///
/// # Errors
/// The image has no run loop, or a panic can be reached: the message has the path.
pub fn check(graph: &Graph) -> Result<()> {
    if let Some(path) = path_to_panic(graph, RUN_LOOP)? {
        bail!(
            "what a world does can make EL3 panic; let the code return an error instead, or let the compiler see that it cannot happen:\n  {}",
            path.join("\n  ")
        );
    }
    Ok(())
}

/// The shortest path from the function called `from` to a panic, by names.
fn path_to_panic(graph: &Graph, from: &str) -> Result<Option<Vec<String>>> {
    let start = graph.functions.iter().find(|(_, f)| f.name == from);
    let (&start, _) = start.with_context(|| format!("the image has no function {from}"))?;
    let mut came_from = BTreeMap::from([(start, None)]);
    let mut next = VecDeque::from([start]);
    while let Some(address) = next.pop_front() {
        if panics(graph.name(address)) {
            let mut path = Vec::new();
            let mut at = Some(address);
            while let Some(here) = at {
                path.insert(0, graph.name(here).to_owned());
                at = came_from[&here];
            }
            return Ok(Some(path));
        }
        let function = graph.functions.get(&address);
        let Some(function) =
            function.filter(|f| !DRIVER.iter().any(|driver| f.name.starts_with(driver)))
        else {
            continue;
        };
        for callee in graph.callees(function).map(|callee| callee.address) {
            came_from.entry(callee).or_insert_with(|| {
                next.push_back(callee);
                Some(address)
            });
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call_graph::tests;

    fn graph(functions: &[(u64, &str, &[u64], bool)], taken: &[u64]) -> Graph {
        let frameless: Vec<_> = functions
            .iter()
            .map(|&(at, name, calls, indirect)| (at, name, 0, calls, indirect))
            .collect();
        tests::graph(&frameless, taken)
    }

    #[test]
    fn the_path_to_a_panic_is_named() {
        let graph = graph(
            &[
                (1, RUN_LOOP, &[2, 3], false),
                (2, "good", &[], false),
                (3, "indexes", &[4], false),
                (4, "core::panicking::panic_bounds_check", &[], false),
            ],
            &[],
        );
        let error = check(&graph).unwrap_err().to_string();
        assert!(
            error.ends_with("run_core\n  indexes\n  core::panicking::panic_bounds_check"),
            "{error}"
        );
    }

    #[test]
    fn a_pointer_may_lead_to_any_function_whose_address_is_held() {
        let functions: [(u64, &str, &[u64], bool); 3] = [
            (1, RUN_LOOP, &[], true),
            (2, "a handler", &[3], false),
            (3, "core::panicking::panic", &[], false),
        ];
        assert!(check(&graph(&functions, &[2])).is_err());
        assert!(check(&graph(&functions, &[])).is_ok());
    }

    #[test]
    fn what_the_run_loop_does_not_reach_may_panic() {
        let functions: [(u64, &str, &[u64], bool); 4] = [
            (1, RUN_LOOP, &[4], false),
            (2, "cold_main", &[3], false),
            (3, "core::panicking::panic", &[], false),
            (4, "arm_gic::driver", &[3], false),
        ];
        assert!(check(&graph(&functions, &[])).is_ok());
        assert!(check(&graph(&functions[1..], &[])).is_err(), "no run loop");
    }
}
