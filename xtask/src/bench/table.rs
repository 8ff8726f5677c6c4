//! The table that a person reads.

use super::Comparison;
use super::measure::{Column, Counts};

/// A group of the table's columns: title, width of one, and what it shows.
type Group = (&'static str, usize, fn(&Counts) -> u64);

const GROUPS: [Group; 5] = [
    ("instructions", 7, |c| c.el3),
    ("code lines", 5, |c| c.code_lines),
    ("data lines", 5, |c| c.data_lines),
    ("pages", 5, |c| c.code_pages + c.data_pages),
    ("in order", 5, |c| c.in_order),
];

/// What the titles mean, in the order of [`GROUPS`]; the instructions need no words.
const LEGEND: &str = "\
C: as TF-A's platform has it; C+: with Janus' features. Lines are of 64 bytes, pages of 4 KiB (code and data), that EL3
touches; in order: writes of special-purpose registers, which wait for all instructions before them.";

/// Prints the rows; with `verbose`, also the kinds of their instructions.
pub fn print(rows: &[Comparison], verbose: bool) {
    let columns: Vec<Column> = Column::ALL
        .into_iter()
        .filter(|column| rows.iter().any(|row| row.counts(*column).is_some()))
        .collect();
    let mut spmc = "";
    for row in rows {
        if row.spmc != spmc {
            spmc = row.spmc;
            head(spmc, &columns);
        }
        print!("{:<53}", row.name);
        for (_, width, value) in GROUPS {
            print!("  ");
            for column in &columns {
                let text = row
                    .counts(*column)
                    .map_or("-".to_owned(), |c| value(c).to_string());
                print!("{text:>width$}", width = width + 1);
            }
        }
        println!();
        if verbose {
            for column in &columns {
                detail(column.name(), row.counts(*column));
            }
        }
    }
    println!("\n{LEGEND}\n");
}

fn head(spmc: &str, columns: &[Column]) {
    println!("\nEL3, SPMC at {spmc}\n");
    print!("{:<53}", "call");
    for (title, width, _) in GROUPS {
        print!("  {title:>width$}", width = (width + 1) * columns.len());
    }
    print!("\n{:<53}", "");
    for (_, width, _) in GROUPS {
        print!("  ");
        for column in columns {
            print!("{:>width$}", column.name(), width = width + 1);
        }
    }
    println!();
}

fn detail(whose: &str, counts: Option<&Counts>) {
    let Some(c) = counts else { return };
    println!(
        "    {whose:>5}: {} entries, {} system registers, {} barriers, {} exclusive or atomic, \
         {} cache, {} TLB, {} loads, {} stores, {} device; control: SPMC {}, payload {}",
        c.entries,
        c.system_registers,
        c.barriers,
        c.exclusives,
        c.cache,
        c.tlb,
        c.loads,
        c.stores,
        c.device,
        c.spmc,
        c.normal
    );
}
