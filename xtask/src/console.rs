//! A running machine and its consoles.
//!
//! On QEMU the first UART (the normal world's; on QEMU virt also EL3's) is QEMU's standard input and output. Each other
//! UART (the SPMC's; on the FVP also EL3's, before it) is a socket that QEMU connects to. All are written to a log and
//! can be echoed. Waiting for text fails when the machine is silent for too long or runs for too long.

use crate::cli::Plat;
use crate::model::{self, Model};
use crate::qemu::{Machine, Qemu};
use anyhow::{Context, Result, anyhow, bail};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A console of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uart {
    /// The normal world, and EL3 where it has none of its own.
    Normal,
    /// The SPMC.
    Secure,
    /// EL3.
    El3,
}

impl Uart {
    /// The mark at the beginning of its lines in a log.
    fn mark(self) -> &'static str {
        match self {
            Uart::Normal => "",
            Uart::Secure => "S| ",
            Uart::El3 => "3| ",
        }
    }

    /// The machine's UARTs after the first one, in their order.
    fn others(plat: Plat) -> &'static [Uart] {
        match plat {
            Plat::Qemu => &[Uart::Secure],
            Plat::Fvp => &[Uart::El3, Uart::Secure],
        }
    }
}

/// Gives QEMU a socket for each UART after the first one, and keeps the listeners.
fn sockets(command: &mut Command, plat: Plat, dir: &Path) -> Result<Vec<(Uart, UnixListener)>> {
    let mut listeners = Vec::new();
    for (index, uart) in Uart::others(plat).iter().enumerate() {
        let path = dir.join(format!("uart{}", index + 1));
        let listener = UnixListener::bind(&path)?;
        command
            .arg("-chardev")
            .arg(format!(
                "socket,id=uart{},path={}",
                index + 1,
                path.display()
            ))
            .args(["-serial", &format!("chardev:uart{}", index + 1)]);
        listeners.push((*uart, listener));
    }
    Ok(listeners)
}

/// What a machine sends.
enum Event {
    Bytes(Uart, Vec<u8>),
    /// QEMU's own output ended: QEMU is gone.
    End,
}

/// Says whether a line is of one kind.
pub type Matcher = Box<dyn FnMut(&str) -> bool>;

/// How long a machine may be silent, and how long it may run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest time without any character on any console.
    pub idle: Duration,
    /// The longest time from the start.
    pub total: Duration,
}

impl Limits {
    /// Limits in seconds.
    pub const fn secs(idle: u64, total: u64) -> Limits {
        Limits {
            idle: Duration::from_secs(idle),
            total: Duration::from_secs(total),
        }
    }
}

/// Where typed text goes: to the first UART, once it is connected.
type Keyboard = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// A started machine; it is stopped when this is dropped.
pub struct Running {
    child: Child,
    keyboard: Keyboard,
    events: Receiver<Event>,
    log: File,
    /// The log's path.
    pub log_path: PathBuf,
    echo: bool,
    limits: Limits,
    start: Instant,
    last: Instant,
    /// Everything the normal world's UART said.
    pub normal: String,
    /// Everything the SPMC's UART said.
    pub secure: String,
    el3: String,
    lines: VecDeque<(Uart, String)>,
    partial: [String; 3],
    /// Says whether waiting is useless after a line.
    pub fatal: Option<Matcher>,
    fatal_line: Option<String>,
    /// The longest time to the machine's first output.
    pub first_word: Option<Duration>,
    /// How far [`Running::expect`] has read in `normal`, `secure` and `el3`.
    seen: [usize; 3],
    ended: bool,
    _socket: Option<tempfile::TempDir>,
}

/// Starts a machine and takes over its consoles.
///
/// # Errors
/// QEMU does not start.
pub fn start(
    qemu: &Qemu,
    machine: &Machine,
    log: &Path,
    echo: bool,
    limits: Limits,
) -> Result<Running> {
    // A socket's path may have 108 bytes at most, so it is not put below target/.
    let socket = tempfile::Builder::new().prefix("janus-").tempdir()?;
    let mut command = qemu.command(machine);
    command.args(["-monitor", "none", "-serial", "stdio"]);
    let listeners = sockets(&mut command, machine.plat, socket.path())?;
    if let Some(dir) = log.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let log_file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log_file.try_clone()?);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    let (sender, events) = channel();
    let stdout = child.stdout.take().context("QEMU has a standard output")?;
    let stdin = child.stdin.take().context("QEMU has a standard input")?;
    let normal = sender.clone();
    std::thread::spawn(move || {
        pump(stdout, Uart::Normal, &normal);
        let _ = normal.send(Event::End);
    });
    for (uart, listener) in listeners {
        let sender = sender.clone();
        std::thread::spawn(move || {
            if let Ok((stream, _)) = listener.accept() {
                pump(stream, uart, &sender);
            }
        });
    }
    let keyboard: Box<dyn Write + Send> = Box::new(stdin);
    let mut running = Running::new(child, events, log, log_file, echo, limits);
    running.keyboard = Arc::new(Mutex::new(Some(keyboard)));
    running._socket = Some(socket);
    Ok(running)
}

/// Starts a model, as [`start`] starts QEMU. The model's own lines are marked `M| `.
///
/// # Errors
/// The model does not start.
pub fn start_model(
    model: &Model,
    machine: &Machine,
    log: &Path,
    echo: bool,
    limits: Limits,
) -> Result<Running> {
    if let Some(dir) = log.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let log_file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut child = model
        .command(machine)?
        .stderr(log_file.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot start {}", model.name()))?;
    let stdout = child
        .stdout
        .take()
        .context("the model has a standard output")?;
    let (sender, events) = channel();
    let keyboard = Keyboard::default();
    let typed = keyboard.clone();
    let mut own = log_file.try_clone()?;
    std::thread::spawn(move || {
        let (mut pumps, others) = (Vec::new(), Uart::others(Plat::Fvp));
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = writeln!(own, "M| {line}");
            let Some((uart, port)) = model::terminal(&line) else {
                continue;
            };
            let uart = match uart.checked_sub(1) {
                None => Uart::Normal,
                Some(index) => match others.get(index) {
                    Some(uart) => *uart,
                    None => continue,
                },
            };
            let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
                continue;
            };
            if uart == Uart::Normal
                && let (Ok(stream), Ok(mut keyboard)) = (stream.try_clone(), typed.lock())
            {
                *keyboard = Some(Box::new(stream));
            }
            let sender = sender.clone();
            pumps.push(std::thread::spawn(move || pump(stream, uart, &sender)));
        }
        for pump in pumps {
            let _ = pump.join();
        }
        let _ = sender.send(Event::End);
    });
    let mut running = Running::new(child, events, log, log_file, echo, limits);
    running.keyboard = keyboard;
    Ok(running)
}

fn pump(mut from: impl Read, uart: Uart, to: &Sender<Event>) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.send(Event::Bytes(uart, buffer[..n].to_vec())).is_err() {
            return;
        }
    }
}

impl Running {
    fn new(
        child: Child,
        events: Receiver<Event>,
        path: &Path,
        log: File,
        echo: bool,
        limits: Limits,
    ) -> Running {
        Running {
            child,
            keyboard: Keyboard::default(),
            events,
            log,
            log_path: path.to_owned(),
            echo,
            limits,
            start: Instant::now(),
            last: Instant::now(),
            normal: String::new(),
            secure: String::new(),
            el3: String::new(),
            lines: VecDeque::new(),
            partial: Default::default(),
            fatal: None,
            fatal_line: None,
            first_word: None,
            seen: [0; 3],
            ended: false,
            _socket: None,
        }
    }

    /// Passes on what a person types until the machine ends.
    pub fn attach_keyboard(&self) {
        let keyboard = self.keyboard.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 256];
            while let Ok(n @ 1..) = std::io::stdin().read(&mut bytes) {
                if let Ok(mut to) = keyboard.lock()
                    && let Some(to) = to.as_mut()
                    && to.write_all(&bytes[..n]).and_then(|()| to.flush()).is_err()
                {
                    return;
                }
            }
        });
    }

    /// Returns whether nothing was printed so far.
    pub fn silent(&self) -> bool {
        self.normal.is_empty() && self.secure.is_empty() && self.el3.is_empty()
    }

    /// Reads what still comes in the same burst, which often tells the reason.
    pub fn burst(&mut self) {
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            match self.events.recv_timeout(Duration::from_millis(500)) {
                Ok(Event::Bytes(uart, bytes)) => self.add(uart, &bytes),
                _ => break,
            }
        }
    }

    /// Reads what the machine printed; returns `false` if it has ended.
    ///
    /// # Errors
    /// It hangs: silent for too long, or running for too long.
    fn take_in(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let idle = self.limits.idle.saturating_sub(self.last.elapsed());
        let total = self.limits.total.saturating_sub(self.start.elapsed());
        let first = match self.first_word {
            Some(limit) if self.silent() => limit.saturating_sub(self.start.elapsed()),
            _ => Duration::MAX,
        };
        match self.events.recv_timeout(idle.min(total).min(first)) {
            Ok(Event::Bytes(uart, bytes)) => self.add(uart, &bytes),
            Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => {
                // The other consoles may still have output under way.
                while let Ok(event) = self.events.recv_timeout(Duration::from_millis(200)) {
                    if let Event::Bytes(uart, bytes) = event {
                        self.add(uart, &bytes);
                    }
                }
                for uart in [Uart::Normal, Uart::Secure, Uart::El3] {
                    let rest = std::mem::take(&mut self.partial[uart as usize]);
                    if !rest.is_empty() {
                        self.line(uart, rest);
                    }
                }
                self.ended = true;
                return Ok(false);
            }
            Err(RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                if first < idle.min(total) {
                    bail!(
                        "BL1 said nothing in {} s: TF-A's BL1 stops in silence on a CPU model that it does not know (--cpu), or without secure RAM",
                        self.start.elapsed().as_secs()
                    );
                }
                if total <= idle {
                    bail!("still running after {} s", self.limits.total.as_secs());
                }
                bail!(
                    "nothing on the consoles for {} s",
                    self.limits.idle.as_secs()
                );
            }
        }
        Ok(true)
    }

    fn add(&mut self, uart: Uart, bytes: &[u8]) {
        self.last = Instant::now();
        let text = String::from_utf8_lossy(bytes).replace('\r', "");
        let index = uart as usize;
        match uart {
            Uart::Normal => self.normal.push_str(&text),
            Uart::Secure => self.secure.push_str(&text),
            Uart::El3 => self.el3.push_str(&text),
        }
        let mut pieces = text.split('\n');
        self.partial[index].push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let line = std::mem::replace(&mut self.partial[index], piece.to_owned());
            self.line(uart, line);
        }
    }

    fn line(&mut self, uart: Uart, line: String) {
        let mark = uart.mark();
        let _ = writeln!(self.log, "{mark}{line}");
        if self.echo {
            let _ = writeln!(std::io::stdout(), "{mark}{line}");
        }
        self.lines.push_back((uart, line));
    }

    /// Returns the next whole line of any console; `None` when the machine has ended.
    ///
    /// # Errors
    /// The machine hangs.
    pub fn next_line(&mut self) -> Result<Option<(Uart, String)>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            if !self.take_in()? {
                return Ok(self.lines.pop_front());
            }
        }
    }

    /// Waits until a console, or EL3's own, prints `text`, whole line or not. The search begins behind the text that
    /// was last expected.
    ///
    /// # Errors
    /// The machine hangs or ends without it.
    pub fn expect(&mut self, uart: Uart, text: &str) -> Result<()> {
        loop {
            for uart in [uart, Uart::El3] {
                let all = match uart {
                    Uart::Normal => &self.normal,
                    Uart::Secure => &self.secure,
                    Uart::El3 => &self.el3,
                };
                let from = self.seen[uart as usize];
                if let Some(at) = all[from..].find(text) {
                    self.seen[uart as usize] = from + at + text.len();
                    return Ok(());
                }
            }
            while let Some((_, line)) = self.lines.pop_front() {
                if self.fatal.as_mut().is_some_and(|fatal| fatal(&line)) {
                    self.fatal_line.get_or_insert(line);
                }
            }
            if let Some(what) = self.fatal_line.clone() {
                self.burst();
                bail!("the console says `{what}` while waiting for `{text}`");
            }
            match self.take_in() {
                Ok(true) => {}
                Ok(false) => bail!("the machine ended without saying `{text}`"),
                Err(error) => return Err(error.context(format!("waiting for `{text}`"))),
            }
        }
    }

    /// Types text into the first UART.
    ///
    /// # Errors
    /// QEMU is gone.
    pub fn send(&mut self, text: &str) -> Result<()> {
        let mut keyboard = self.keyboard.lock().map_err(|e| anyhow!("{e}"))?;
        let keyboard = keyboard.as_mut().context("the machine has no UART yet")?;
        keyboard
            .write_all(text.as_bytes())
            .and_then(|()| keyboard.flush())
            .context("the machine takes no more input")
    }

    /// Waits for the end; returns whether QEMU's exit status is that of a success.
    ///
    /// # Errors
    /// The machine hangs.
    pub fn finish(&mut self) -> Result<bool> {
        while self.take_in()? {}
        Ok(self.child.wait()?.success())
    }

    /// What the machine's program, which has failed, itself printed.
    pub fn why_not(&self) -> String {
        let log = std::fs::read(&self.log_path).unwrap_or_default();
        own_words(&String::from_utf8_lossy(&log))
    }

    /// The last lines of the log, for an error.
    pub fn last_lines(&self) -> String {
        crate::proc::tail(&self.log_path)
    }
}

/// QEMU's own lines in a log, as the text of an error.
fn own_words(log: &str) -> String {
    let own: Vec<&str> = log
        .lines()
        .filter(|l| l.starts_with("qemu-system-"))
        .collect();
    match own.as_slice() {
        [] => "the machine's program ended with an error and does not say why".to_owned(),
        lines => format!("QEMU says: {}", lines.join("\n")),
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a machine with its first UART on this terminal; returns whether QEMU's exit status is 0.
///
/// # Errors
/// QEMU does not start.
pub fn interactive(qemu: &Qemu, machine: &Machine, log: &Path) -> Result<bool> {
    let socket = tempfile::Builder::new().prefix("janus-").tempdir()?;
    let mut command = qemu.command(machine);
    command.args(["-serial", "mon:stdio"]);
    let listeners = sockets(&mut command, machine.plat, socket.path())?;
    if let Some(dir) = log.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let log = File::create(log)?;
    for (uart, listener) in listeners {
        let log = log.try_clone()?;
        std::thread::spawn(move || {
            if let Ok((stream, _)) = listener.accept() {
                show_lines(uart, stream, log);
            }
        });
    }
    Ok(command
        .status()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?
        .success())
}

/// Copies what a UART prints to the terminal and into the log, in whole lines with a mark.
fn show_lines(uart: Uart, mut from: impl Read, mut log: File) {
    let (mut line, mut bytes) = (Vec::new(), [0; 256]);
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        for byte in &bytes[..n] {
            match byte {
                b'\n' => {
                    line.push(b'\n');
                    let marked = [uart.mark().as_bytes(), &line].concat();
                    let _ = log.write_all(&marked);
                    // QEMU has the terminal in raw mode, in which a line begins only where it is told to.
                    let out = [b"\r", &marked[..], b"\r"].concat();
                    let _ = std::io::stdout().lock().write_all(&out);
                    let _ = std::io::stdout().flush();
                    line.clear();
                }
                b'\r' => {}
                byte => line.push(*byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::own_words;

    #[test]
    fn what_qemu_says_of_itself_is_the_error() {
        let log = "NOTICE:  BL1\nqemu-system-aarch64: -rtk: invalid option\n";
        assert_eq!(
            own_words(log),
            "QEMU says: qemu-system-aarch64: -rtk: invalid option"
        );
        assert!(own_words("NOTICE:  BL1\n").contains("does not say why"));
    }
}
