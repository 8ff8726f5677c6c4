//! `cargo xtask picture`: a console session as an SVG picture, for the README.
//!
//! `cargo xtask run | cargo xtask picture docs/console.svg` makes the README's picture. The colours follow the reader's
//! light or dark scheme.

use anyhow::{Context, Result};
use clap::Args;
use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;

/// What to write.
#[derive(Args)]
pub struct PictureArgs {
    /// The picture to write.
    #[arg(value_name = "OUT.svg")]
    out: PathBuf,
}

/// Height of a line, in the picture's units.
const LINE: usize = 18;
/// Width of a character of the 13-unit monospaced font, in tenths.
const CHARACTER: usize = 79;
/// Room around the text.
const MARGIN: usize = 14;

/// The style of a line, by the mark at its beginning: each part of the machine has its own colour.
fn class(line: &str) -> &'static str {
    match line {
        _ if line.starts_with("[janus]") => "janus",
        _ if line.starts_with("S|") => "secure",
        _ if line.starts_with("NOTICE:") => "tfa",
        _ => "normal",
    }
}

/// Draws `text` as a picture.
fn svg(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let columns = lines.iter().map(|line| line.chars().count()).max();
    let width = columns.unwrap_or(0) * CHARACTER / 10 + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"13\">\n\
         <style>\n\
         rect {{ fill: #f6f8fa; stroke: #d0d7de }} text {{ white-space: pre }}\n\
         .tfa {{ fill: #6e7781 }} .janus {{ fill: #0550ae }} .secure {{ fill: #8250df }} .normal {{ fill: #116329 }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         rect {{ fill: #161b22; stroke: #30363d }} .tfa {{ fill: #8b949e }} .janus {{ fill: #79c0ff }} \
         .secure {{ fill: #d2a8ff }} .normal {{ fill: #7ee787 }}\n\
         }}\n\
         </style>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n",
        width - 1,
        height - 1
    );
    for (i, line) in lines.iter().enumerate() {
        let escaped = line
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let y = MARGIN + i * LINE + 13;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "<text x=\"{MARGIN}\" y=\"{y}\" class=\"{}\" xml:space=\"preserve\">{escaped}</text>",
            class(line)
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Reads a console session from standard input and writes its picture.
///
/// # Errors
/// Standard input cannot be read, or the file cannot be written.
pub fn run(args: &PictureArgs) -> Result<bool> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    std::fs::write(&args.out, svg(&text))
        .with_context(|| format!("cannot write {}", args.out.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::svg;

    #[test]
    fn a_line_is_coloured_and_cannot_break_the_picture() {
        let picture = svg("[janus] INFO: <a & b>\nS| spmc\n");
        assert!(picture.contains(
            "class=\"janus\" xml:space=\"preserve\">[janus] INFO: &lt;a &amp; b&gt;</text>"
        ));
        assert!(picture.contains("class=\"secure\""));
        assert!(picture.contains("viewBox=\"0 0 193 64\""));
    }
}
