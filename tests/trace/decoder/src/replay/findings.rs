//! Differences between what a BL31 did and what the dispatcher's library says, each kind once.

use std::collections::BTreeMap;
use std::fmt;

/// One kind of difference.
#[derive(Debug)]
pub struct Finding {
    /// The first event at which it was seen, and its time.
    pub first: (u32, u64),
    /// How often it was seen.
    pub times: u32,
    /// An example, with the values.
    pub example: String,
}

/// All kinds of differences, by their descriptions, which have no values in them.
#[derive(Debug, Default)]
pub struct Findings {
    kinds: BTreeMap<String, Finding>,
    /// Exits that were held against the library.
    pub compared: u64,
}

impl Findings {
    /// Notes a difference.
    pub fn add(&mut self, event: u32, time: u64, kind: String, example: String) {
        let found = self.kinds.entry(kind).or_insert(Finding {
            first: (event, time),
            times: 0,
            example,
        });
        found.times += 1;
    }

    /// Returns whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The number of kinds.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The descriptions.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &Finding)> {
        self.kinds
            .iter()
            .map(|(kind, finding)| (kind.as_str(), finding))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: Vec<_> = self.kinds().collect();
        kinds.sort_by_key(|(_, finding)| finding.first);
        for (kind, finding) in kinds {
            writeln!(f, "{kind}")?;
            writeln!(
                f,
                "    {} times, first at {}: {}",
                finding.times, finding.first.1, finding.example
            )?;
        }
        Ok(())
    }
}
