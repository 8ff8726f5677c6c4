//! The table that a person reads.

use super::Comparison;
use super::measure::Counts;

/// Prints the rows; with `verbose`, also the kinds of their instructions.
pub fn print(rows: &[Comparison], verbose: bool) {
    let mut spmc = "";
    for row in rows {
        if row.spmc != spmc {
            spmc = row.spmc;
            println!("\nInstructions at EL3, SPMC at {spmc}\n");
            println!("{:<50} {:>8} {:>8} {:>7}", "call", "C", "Janus", "ratio");
        }
        let ratio = row.ratio.map_or("-".to_owned(), |r| format!("{r:.2}"));
        println!(
            "{:<50} {:>8} {:>8} {ratio:>7}",
            row.name,
            number(row.c),
            number(row.janus)
        );
        if verbose {
            detail("C", row.c_counts.as_ref());
            detail("Janus", row.janus_counts.as_ref());
        }
    }
    println!();
}

fn number(n: Option<u64>) -> String {
    n.map_or("-".to_owned(), |n| n.to_string())
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
