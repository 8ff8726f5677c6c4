//! What the person sees: one line for each finished piece of work, a moving line while it is under way.
//!
//! Everything goes to standard error; standard output belongs to the consoles of the machine under
//! test and to results that scripts read.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After this long without a terminal's spinner, a line says that work goes on.
const STILL: Duration = Duration::from_secs(30);

/// The steps within another one are not shown.
static WITHIN: AtomicBool = AtomicBool::new(false);

/// A piece of work that takes long enough to be shown.
pub struct Step {
    what: String,
    start: Instant,
    spinner: Option<ProgressBar>,
    over: Arc<AtomicBool>,
    note: Arc<Mutex<String>>,
}

/// Begins a piece of work.
pub fn step(what: impl Into<String>) -> Step {
    let what = what.into();
    let start = Instant::now();
    let over = Arc::new(AtomicBool::new(false));
    let note = Arc::new(Mutex::new(String::new()));
    let spinner = if WITHIN.load(Ordering::Relaxed) {
        None
    } else if std::io::stderr().is_terminal() {
        let bar = ProgressBar::new_spinner()
            .with_style(
                ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
                    .expect("a valid template"),
            )
            .with_message(what.clone());
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(bar)
    } else {
        let (what, over, note) = (what.clone(), over.clone(), note.clone());
        std::thread::spawn(move || {
            let mut last = Instant::now();
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(200));
                if last.elapsed() >= STILL && !over.load(Ordering::Relaxed) {
                    last = Instant::now();
                    let note = note.lock().unwrap_or_else(PoisonError::into_inner);
                    eprintln!("  ... {what}{note} ({} s)", start.elapsed().as_secs());
                }
            }
        });
        None
    };
    Step {
        what,
        start,
        spinner,
        over,
        note,
    }
}

impl Step {
    /// Shows how far the work is.
    pub fn note(&self, how_far: &str) {
        match &self.spinner {
            Some(bar) => bar.set_message(format!("{}: {how_far}", self.what)),
            None => {
                *self.note.lock().unwrap_or_else(PoisonError::into_inner) = format!(": {how_far}");
            }
        }
    }

    /// Does work whose own steps and remarks are not shown, and prints no line at its end.
    pub fn around<T>(self, work: impl FnOnce(&Step) -> T) -> T {
        WITHIN.store(true, Ordering::Relaxed);
        let result = work(&self);
        WITHIN.store(false, Ordering::Relaxed);
        result
    }

    /// Ends the work: one line.
    pub fn done(self) {
        self.clear();
        if WITHIN.load(Ordering::Relaxed) {
            return;
        }
        eprintln!(
            "  ok  {} ({:.1} s)",
            self.what,
            self.start.elapsed().as_secs_f32()
        );
    }

    /// Ends the work with a line that has more than its name.
    pub fn done_with(self, result: &str) {
        self.clear();
        if WITHIN.load(Ordering::Relaxed) {
            return;
        }
        eprintln!(
            "  ok  {}: {result} ({:.1} s)",
            self.what,
            self.start.elapsed().as_secs_f32()
        );
    }

    fn clear(&self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(bar) = &self.spinner {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Prints a remark on a line of its own.
pub fn say(text: impl AsRef<str>) {
    if WITHIN.load(Ordering::Relaxed) {
        return;
    }
    eprintln!("  --  {}", text.as_ref());
}
