//! The pointers to functions that the image holds, and which calls each may serve.
//!
//! Pointers are in data (vtables and other tables, in every section that is loaded, whatever its flags) and in code, which
//! computes them. A call through a pointer may use each of them that fits in two ways:
//!
//! * **By its place.** A vtable is a drop function or 0, a size, an alignment, and then the methods; something points to
//!   it. A pointer that the call loads at offset 24 or more is the method at that offset of some vtable. One from
//!   elsewhere may be anything.
//! * **By its type,** which the image does not have. The functions' names tell it: `<type as trait>::method` the trait
//!   of a vtable, and [`RULES`] what the callers' source calls. A caller without a rule calls methods of any trait, and
//!   any other function but those that display an argument of a message.
//!
//! That is too many callees where traits have methods at the same offset, where a caller has no rule, and where the
//! search in [`crate::pointer_calls`] gives up. It is too few where a rule is wrong; where a table that is no vtable
//! holds a function at offset 24 of its rows or more, which would be looked for among the methods; and where the compiler
//! has made one of two equal functions that have different types, which the name then hides.

use crate::pointer_calls::Source;
use anyhow::Result;
use object::{Object, ObjectSection, SectionFlags, SectionKind, elf};
use std::collections::{BTreeMap, BTreeSet};

/// A place that holds the address of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// The function.
    pub to: u64,
    /// Where the address is.
    pub place: Place,
}

/// Where the address of a function is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a vtable.
    Method {
        /// The offset in the vtable.
        at: u64,
        /// The traits that the vtable's methods are of, by the methods' names.
        of: BTreeSet<String>,
    },
    /// In other data.
    Data,
    /// In code, which computes it.
    Code,
}

/// What a caller's pointers may be, as the types in its source say.
struct Rule {
    /// Part of the callers' names.
    callers: &'static str,
    /// The beginnings of the names of the traits whose methods they call.
    traits: &'static [&'static str],
    /// The functions beside methods that they call.
    others: Others,
}

/// Functions that are not called as methods.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    None,
    /// All but what displays an argument of a message.
    Any,
    /// What displays an argument of a message.
    Display,
    /// Functions whose address code computes.
    Code,
    /// Functions in tables.
    Data,
}

/// The first rule that fits a caller counts. Any other caller calls methods of any trait, and any function but those
/// that display something.
const RULES: [Rule; 11] = [
    Rule {
        callers: "core::fmt::write",
        traits: &["core::fmt::"],
        others: Others::Display,
    },
    Rule {
        callers: "core::fmt::",
        traits: &["core::fmt::"],
        others: Others::None,
    },
    Rule {
        callers: "log::",
        traits: &["log::"],
        others: Others::None,
    },
    Rule {
        callers: "<janus_bl31::on_core::OnCore as janus_spmd::partitions::Messenger>::ask",
        traits: &["janus_spmd::partitions::LogicalPartition"],
        others: Others::Code,
    },
    Rule {
        callers: "janus_spmd::",
        traits: &["janus_spmd::partitions::LogicalPartition"],
        others: Others::None,
    },
    Rule {
        callers: "janus_lfa::",
        traits: &["janus_spmd::partitions::Messenger"],
        others: Others::None,
    },
    Rule {
        callers: "janus_bl31::group0::",
        traits: &[],
        others: Others::Data,
    },
    Rule {
        callers: "janus_bl31::services::platform::",
        traits: &[],
        others: Others::Data,
    },
    Rule {
        callers: "janus_bl31::services::lfa::",
        traits: &["janus_lfa::Component"],
        others: Others::None,
    },
    Rule {
        callers: "janus_bl31::services::partitions::",
        traits: &["janus_spmd::partitions::LogicalPartition"],
        others: Others::None,
    },
    Rule {
        callers: "janus_plat::",
        traits: &["janus_plat::", "janus_spmd::", "log::"],
        others: Others::Any,
    },
];

/// Where methods begin in a vtable.
const METHODS: u64 = 24;

impl Pointer {
    /// Whether a call of `caller` that takes its pointer from `source` may use this pointer, to `callee`.
    pub fn may_be(&self, source: Source, caller: &str, callee: &str) -> bool {
        let rule = RULES.iter().find(|rule| caller.contains(rule.callers));
        let displays = displays(callee);
        match &self.place {
            Place::Method { at, of } => {
                let here = match source {
                    Source::Slot(slot) => slot == *at,
                    _ => true,
                };
                let named = |rule: &Rule| {
                    rule.traits
                        .iter()
                        .any(|t| of.iter().any(|of| of.starts_with(t)))
                };
                here && (of.is_empty() || rule.is_none_or(named))
            }
            Place::Data | Place::Code if matches!(source, Source::Slot(METHODS..)) => false,
            Place::Data | Place::Code => match rule.map(|rule| rule.others) {
                None | Some(Others::Any) => !displays,
                Some(Others::None) => false,
                Some(Others::Display) => displays,
                Some(Others::Code) => !displays && self.place == Place::Code,
                Some(Others::Data) => self.place == Place::Data,
            },
        }
    }
}

/// Whether a function displays an argument of a message.
pub fn displays(function: &str) -> bool {
    function.contains("core::fmt::") && function.ends_with("::fmt")
}

/// The words of the data that the image is loaded with, by address.
///
/// # Errors
/// The image is broken.
pub fn data(file: &object::File) -> Result<BTreeMap<u64, u64>> {
    let mut words = BTreeMap::new();
    for section in file.sections() {
        // By its flags and not by its kind: mergeable data are of many kinds.
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
            continue;
        };
        if !sh_flags.contains(elf::SHF_ALLOC) || section.kind() == SectionKind::UninitializedData {
            continue;
        }
        let first = section.address().next_multiple_of(8) - section.address();
        let bytes = section.data()?.get(first as usize..).unwrap_or_default();
        for (index, word) in bytes.chunks_exact(8).enumerate() {
            let value = u64::from_le_bytes(word.try_into().expect("8 bytes"));
            words.insert(section.address() + first + 8 * index as u64, value);
        }
    }
    Ok(words)
}

/// The pointers to functions in `data`, and those that code computes. `names`: the functions' names by their address.
pub fn held(
    data: &BTreeMap<u64, u64>,
    names: &BTreeMap<u64, &str>,
    computed: &BTreeSet<u64>,
) -> Vec<Pointer> {
    let mut pointers = Vec::new();
    let mut methods = BTreeSet::new();
    let pointed: BTreeSet<u64> = data.values().chain(computed).copied().collect();
    for &start in data.keys().filter(|start| pointed.contains(start)) {
        let vtable = vtable(start, data, names);
        let of: BTreeSet<String> = vtable
            .iter()
            .filter_map(|(_, to)| trait_of(names[to]))
            .collect();
        for (at, to) in vtable {
            methods.insert(start + at);
            pointers.push(Pointer {
                to,
                place: Place::Method { at, of: of.clone() },
            });
        }
    }
    for (at, to) in data {
        if names.contains_key(to) && !methods.contains(at) {
            pointers.push(Pointer {
                to: *to,
                place: Place::Data,
            });
        }
    }
    pointers.extend(
        computed
            .iter()
            .filter(|to| names.contains_key(to))
            .map(|to| Pointer {
                to: *to,
                place: Place::Code,
            }),
    );
    pointers
}

/// The functions of the vtable at `start`, by offset; none if there is no vtable.
///
/// A vtable begins with the function that drops the value (zero if nothing is to be done), its size and its alignment.
/// The methods follow.
fn vtable(start: u64, data: &BTreeMap<u64, u64>, names: &BTreeMap<u64, &str>) -> Vec<(u64, u64)> {
    let word = |index: u64| data.get(&(start + 8 * index)).copied();
    let function = |index: u64| word(index).filter(|to| names.contains_key(to));
    let (Some(drop), Some(size), Some(align)) = (word(0), word(1), word(2)) else {
        return Vec::new();
    };
    let drops = drop == 0
        || names
            .get(&drop)
            .is_some_and(|name| name.starts_with("core::ptr::drop_in_place"));
    if !drops || !align.is_power_of_two() || align > 4096 || size % align != 0 {
        return Vec::new();
    }
    let methods = (3..).map_while(|index| Some((8 * index, function(index)?)));
    let methods: Vec<_> = methods.collect();
    let drop = (drop != 0 && !methods.is_empty()).then_some((0, drop));
    drop.into_iter().chain(methods).collect()
}

/// The trait of a method, by its name: `<type as trait>::method`.
fn trait_of(method: &str) -> Option<String> {
    let inner = method.strip_prefix('<')?;
    let (inner, _) = inner.rsplit_once(">::")?;
    let (_, name) = inner.rsplit_once(" as ")?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(u64, &str); 4] = [
        (0x1000, "<a::Uart as core::fmt::Write>::write_str"),
        (0x2000, "a::handler"),
        (0x3000, "core::ptr::drop_in_place<a::Uart>"),
        (0x4000, "<a::Fault as core::fmt::Display>::fmt"),
    ];

    const NONE: [u64; 0] = [];

    fn pointers(data: &[u64], computed: &[u64]) -> Vec<Pointer> {
        let data = (0x8000..).step_by(8).zip(data.iter().copied()).collect();
        held(
            &data,
            &BTreeMap::from(NAMES),
            &computed.iter().copied().collect(),
        )
    }

    #[test]
    fn a_vtable_is_told_from_other_tables() {
        let methods = |data: &[u64], computed: &[u64]| {
            let pointers = pointers(data, computed);
            let methods = pointers.into_iter().filter_map(|p| match p.place {
                Place::Method { at, .. } => Some((p.to, at)),
                _ => None,
            });
            methods.collect::<Vec<_>>()
        };
        let table = [0, 8, 4, 0x1000, 0x2000];
        assert_eq!(methods(&table, &[0x8000]), [(0x1000, 24), (0x2000, 32)]);
        let drops = [0x3000, 8, 4, 0x1000];
        assert_eq!(methods(&drops, &[0x8000]), [(0x3000, 0), (0x1000, 24)]);
        // Nothing points to it; the size is no multiple of the alignment; it begins with another function.
        assert_eq!(methods(&table, &[]), []);
        assert_eq!(methods(&[0, 7, 4, 0x1000], &[0x8000]), []);
        assert_eq!(methods(&[0x2000, 8, 4, 0x1000], &[0x8000]), []);
        // Then its functions still count.
        assert_eq!(pointers(&[0, 7, 4, 0x1000], &[0x8000]).len(), 1);
    }

    #[test]
    fn calls_and_pointers_fit_by_place_and_by_type() {
        let all = pointers(&[0, 8, 4, 0x1000, 7, 0x2000], &[0x8000, 0x4000]);
        let fits = |caller: &str, source| {
            let name = |to| BTreeMap::from(NAMES)[&to];
            let fits = all.iter().filter(|p| p.may_be(source, caller, name(p.to)));
            fits.map(|p| p.to).collect::<Vec<_>>()
        };
        let [first, second, low] = [24, 32, 8].map(Source::Slot);
        assert_eq!(fits("anyone", first), [0x1000]);
        assert_eq!(fits("anyone", second), NONE);
        assert_eq!(fits("anyone", low), [0x2000]);
        assert_eq!(fits("anyone", Source::Unknown), [0x1000, 0x2000]);
        assert_eq!(fits("core::fmt::write", first), [0x1000]);
        assert_eq!(fits("core::fmt::write", low), [0x4000]);
        assert_eq!(
            fits("<a::Fault as core::fmt::Display>::fmt", Source::Unknown),
            [0x1000]
        );
        assert_eq!(fits("janus_spmd::dispatch::call", Source::Unknown), NONE);
        assert_eq!(fits("janus_bl31::group0::call", Source::Unknown), [0x2000]);
    }
}
