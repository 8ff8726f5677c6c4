//! Which steps are wanted.

use crate::decode;
use crate::file::Trace;
use crate::flow::{Flow, Kind, Step};
use crate::show::{self, Shown};
use clap::{Args, ValueEnum};
use janus_trace_format::arch::World;

/// The world whose calls are shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum Whose {
    /// Calls of the normal world.
    #[value(alias = "normal")]
    Ns,
    /// Calls of the SPMC.
    #[value(alias = "secure")]
    Spmc,
    /// EL3's own messages, starts and faults.
    El3,
}

/// What is wanted; everything if nothing is given.
#[derive(Args, Clone, Default, Debug)]
pub struct Filter {
    /// Only this core, as it is printed; more than one of them one after another.
    #[arg(long, value_name = "CORE")]
    pub core: Vec<String>,
    /// Only the calls of this world.
    #[arg(long, value_enum, value_name = "WHOSE")]
    pub world: Option<Whose>,
    /// Only calls with this in their name, such as `msg_send` or `CPU_`.
    #[arg(long, value_name = "NAME")]
    pub call: Option<String>,
    /// Only messages of or to the partition with this FF-A ID.
    #[arg(long, value_name = "ID", value_parser = id)]
    pub partition: Option<u16>,
    /// Only what ended with an error whose name has this in it, such as `denied`.
    #[arg(long, value_name = "NAME")]
    pub error: Option<String>,
    /// Only what was refused, and by which of the dispatcher's rules.
    #[arg(long)]
    pub errors: bool,
}

/// An FF-A ID, hexadecimal or decimal.
fn id(text: &str) -> Result<u16, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "an FF-A ID is a number of 16 bits, such as 0x8001".to_owned())
}

impl Filter {
    /// Returns whether anything is left out.
    pub fn is_set(&self) -> bool {
        !self.core.is_empty()
            || self.world.is_some()
            || self.call.is_some()
            || self.partition.is_some()
            || self.error.is_some()
            || self.errors
    }

    /// The steps that are wanted, in words, each with its number in the flow.
    pub fn steps<'a>(
        &'a self,
        trace: &'a Trace,
        flow: &'a Flow,
    ) -> impl Iterator<Item = (usize, &'a Step, Shown)> {
        let of_core = |(_, step): &(usize, &Step)| self.takes_core(flow, step);
        let steps = flow.steps.iter().enumerate().filter(of_core);
        let shown = steps.map(|(number, step)| (number, step, show::step(trace, step)));
        shown.filter(|(_, step, shown)| self.takes(step, shown))
    }

    /// Returns whether a step's core is wanted.
    fn takes_core(&self, flow: &Flow, step: &Step) -> bool {
        self.core.is_empty() || {
            let core = decode::affinity(flow.cores[usize::from(step.core)]);
            self.core.contains(&core)
        }
    }

    /// Returns whether a step is wanted, whatever its core.
    fn takes(&self, step: &Step, shown: &Shown) -> bool {
        let contains = |name: &str, part: &str| name.to_lowercase().contains(&part.to_lowercase());
        let whose = match step.kind {
            Kind::Call(world)
            | Kind::Interrupt(world)
            | Kind::Trap(world, _)
            | Kind::SError(world) => match world {
                World::Normal | World::Realm => Whose::Ns,
                World::Secure => Whose::Spmc,
            },
            Kind::Message(_) | Kind::Start(_) | Kind::Fault => Whose::El3,
        };
        self.world.is_none_or(|wanted| wanted == whose)
            && self.call.as_ref().is_none_or(|part| {
                contains(&shown.what.name, part)
                    || shown
                        .what
                        .fields
                        .iter()
                        .any(|(name, value)| name.is_empty() && contains(value, part))
            })
            && self
                .partition
                .is_none_or(|id| shown.ids().any(|other| other == id))
            && (!self.errors || shown.error().is_some())
            && self
                .error
                .as_ref()
                .is_none_or(|part| shown.error().is_some_and(|error| contains(error, part)))
    }
}
