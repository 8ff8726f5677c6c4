//! Reports which functions of the image have grown, and what pulled formatting code in.
//!
//! One more format string can silently cost kilobytes: `{:>5}` brings padding, `{:?}` of a number two more bases. So
//! the report names the callers of each function of `core::fmt` that is new or larger, up to the first function of
//! ours.

use crate::a64::target;
use crate::call_graph::symbols;
use anyhow::{Context, Result};
use object::{Object, ObjectSection, SectionKind};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs;
use std::path::Path;

/// How many functions a report names.
const SHOWN: usize = 15;

/// The bytes of each function of an image, by its name; instances of one generic function are one.
pub fn functions(file: &object::File) -> BTreeMap<String, u64> {
    let mut functions = BTreeMap::new();
    for (name, _, size) in symbols(file) {
        *functions.entry(name).or_default() += size;
    }
    functions
}

/// Returns a line for each function that is larger than `before`, the largest growth first; for a formatting function,
/// with what pulled it in. No line if nothing has grown.
///
/// # Errors
/// `elf` cannot be read.
pub fn report(before: &BTreeMap<String, u64>, elf: &Path) -> Result<Vec<String>> {
    let bytes = fs::read(elf).with_context(|| format!("cannot read {}", elf.display()))?;
    let file = object::File::parse(&*bytes)
        .with_context(|| format!("{} is no ELF file", elf.display()))?;
    let now = functions(&file);
    let grown = grown(before, &now);
    if grown.is_empty() {
        return Ok(Vec::new());
    }
    let callers = Callers::new(&file)?;
    let mut lines = Vec::new();
    for (name, was, is) in grown.iter().take(SHOWN) {
        let what = match was {
            0 => "new".to_owned(),
            was => format!("was {was}"),
        };
        lines.push(format!("  {:>+7} {name} ({is} bytes, {what})", is - was));
        if is_formatting(name) {
            lines.push(match callers.chain(name) {
                Some(chain) => format!("          pulled in by {}", chain.join(" < ")),
                None => "          nobody calls it directly".to_owned(),
            });
        }
    }
    if grown.len() > SHOWN {
        lines.push(format!("  and {} more functions", grown.len() - SHOWN));
    }
    Ok(lines)
}

/// Name, size before and size now of what has grown, most first.
fn grown<'a>(
    before: &BTreeMap<String, u64>,
    now: &'a BTreeMap<String, u64>,
) -> Vec<(&'a str, i64, i64)> {
    let mut grown: Vec<_> = now
        .iter()
        .map(|(name, is)| {
            let was = before.get(name).copied().unwrap_or(0);
            (name.as_str(), was as i64, *is as i64)
        })
        .filter(|(_, was, is)| is > was)
        .collect();
    grown.sort_by_key(|(_, was, is)| was - is);
    grown
}

/// Returns whether a function is the standard library's formatting code.
fn is_formatting(name: &str) -> bool {
    let of_core = name.starts_with("core::") || name.starts_with('<');
    of_core && name.contains("core::fmt") && !is_ours(name)
}

/// Returns whether a function is the project's or a dependency's, not the standard library's.
fn is_ours(name: &str) -> bool {
    let path = name.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '_');
    let std = [
        "core::", "alloc::", "str as", "mut ", "T as", "u8 as", "u16 as", "u32 as", "u64 as",
        "usize as", "i32 as", "i64 as",
    ];
    !std.iter().any(|start| path.starts_with(start))
}

/// The functions that call each function or take its address.
struct Callers(HashMap<String, HashSet<String>>);

impl Callers {
    fn new(file: &object::File) -> Result<Self> {
        let mut symbols = symbols(file);
        symbols.sort_by_key(|(_, address, _)| *address);
        let function = |address: u64| {
            let after = symbols.partition_point(|(_, start, _)| *start <= address);
            let (name, start, size) = symbols.get(after.checked_sub(1)?)?;
            (address < start + size).then_some(name)
        };
        let mut callers: HashMap<String, HashSet<String>> = HashMap::new();
        for section in file.sections().filter(|s| s.kind() == SectionKind::Text) {
            let data = section.data().context("a section without contents")?;
            for (word, pc) in data.chunks_exact(4).zip((section.address()..).step_by(4)) {
                let word = u32::from_le_bytes(word.try_into().unwrap_or_default());
                let (Some(target), Some(from)) = (target(word, pc), function(pc)) else {
                    continue;
                };
                if let Some(to) = function(target).filter(|to| *to != from) {
                    callers.entry(to.clone()).or_default().insert(from.clone());
                }
            }
        }
        Ok(Self(callers))
    }

    /// The shortest way up from `name` to a function that is ours, without `name` itself.
    fn chain<'a>(&'a self, name: &'a str) -> Option<Vec<&'a str>> {
        let mut ways = VecDeque::from([vec![name]]);
        let mut seen = HashSet::from([name]);
        while let Some(way) = ways.pop_front() {
            let callers = way.last().and_then(|last| self.0.get(*last));
            let mut callers: Vec<_> = callers.into_iter().flatten().map(String::as_str).collect();
            callers.sort_unstable();
            for caller in callers {
                let mut longer = way.clone();
                longer.push(caller);
                if is_ours(caller) {
                    return Some(longer.split_off(1));
                }
                if seen.insert(caller) {
                    ways.push_back(longer);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_sorted_and_what_shrinks_is_none() {
        let sizes = |list: &[(&str, u64)]| {
            let list = list.iter().map(|(name, size)| ((*name).to_owned(), *size));
            list.collect::<BTreeMap<_, _>>()
        };
        let before = sizes(&[("a", 10), ("b", 20), ("c", 30), ("gone", 5)]);
        let now = sizes(&[("a", 14), ("b", 20), ("c", 8), ("new", 100)]);
        assert_eq!(grown(&before, &now), [("new", 0, 100), ("a", 10, 14)]);
        assert!(grown(&now, &now).is_empty());
    }

    #[test]
    fn formatting_code_is_known_by_its_name() {
        for name in [
            "core::fmt::Formatter::pad_integral",
            "<str as core::fmt::Display>::fmt",
            "core::fmt::num::imp::<impl core::fmt::Display for u32>::fmt",
        ] {
            assert!(is_formatting(name) && !is_ours(name), "{name}");
        }
        let ours = "<janus_bl31::hw::console::Console as core::fmt::Write>::write_str";
        assert!(!is_formatting(ours) && is_ours(ours));
    }

    #[test]
    fn the_way_up_ends_at_the_first_function_of_ours() {
        let mut callers: HashMap<String, HashSet<String>> = HashMap::new();
        for (to, from) in [
            ("core::fmt::pad", "core::fmt::num::fmt"),
            ("core::fmt::num::fmt", "janus_bl31::boot::say"),
            ("core::fmt::pad", "core::fmt::other"),
        ] {
            callers.entry(to.into()).or_default().insert(from.into());
        }
        let callers = Callers(callers);
        let chain = callers.chain("core::fmt::pad").unwrap();
        assert_eq!(chain, ["core::fmt::num::fmt", "janus_bl31::boot::say"]);
        assert_eq!(callers.chain("core::fmt::unknown"), None);
    }
}
