//! A short excerpt as a Mermaid sequence diagram, for a bug report.

use crate::file::Trace;
use crate::filter::Filter;
use crate::flow::Flow;
use crate::show;
use std::fmt::Write;

/// The most steps in a diagram: a longer one is not read in a bug report.
const MOST: usize = 60;

/// The first steps that the filter lets through, and how many were left out.
pub fn diagram(trace: &Trace, flow: &Flow, filter: &Filter) -> (String, usize) {
    let mut text = "sequenceDiagram\n".to_owned();
    let several = flow.cores.len() > 1;
    let (mut written, mut left) = (0, 0);
    for (_, step, shown) in filter.steps(trace, flow) {
        if written == MOST {
            left += 1;
            continue;
        }
        written += 1;
        let core = if several {
            format!("[{}] ", show::core(flow, step))
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "    {}->>{}: {core}{}",
            shown.from,
            shown.to,
            plain(&shown.what.to_string())
        );
        if let Some(answer) = shown.answer {
            let _ = writeln!(
                text,
                "    {}-->>{}: {core}{}",
                shown.to,
                shown.from,
                plain(&answer.to_string())
            );
        }
    }
    (text, left)
}

/// Without what ends a line or a message in Mermaid.
fn plain(text: &str) -> String {
    text.replace(';', ",").replace('#', "").replace('\n', " ")
}
