//! A running machine and its two consoles.
//!
//! UART0 (EL3 and the normal world) is QEMU's standard input and output, UART1 (the SPMC) a socket
//! that QEMU connects to. Both are written to a log and can be echoed; what waits for text gives up
//! when the machine says nothing for a while or takes too long as a whole.

use crate::qemu::{Machine, Qemu};
use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Which console.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uart {
    /// EL3 and the normal world.
    Normal,
    /// The SPMC.
    Secure,
}

/// What comes from a machine.
enum Event {
    Bytes(Uart, Vec<u8>),
    /// QEMU's own output ended: it is gone.
    End,
}

/// How long a machine may be silent, and how long it may run.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without any character on any console.
    pub idle: Duration,
    /// From the start.
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

/// A machine that was started; it is stopped when this is dropped.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    events: Receiver<Event>,
    log: File,
    /// The log's path.
    pub log_path: PathBuf,
    echo: bool,
    limits: Limits,
    start: Instant,
    last: Instant,
    /// Everything UART0 said.
    pub normal: String,
    /// Everything UART1 said.
    pub secure: String,
    lines: VecDeque<(Uart, String)>,
    partial: [String; 2],
    /// Text that means that waiting for anything else is in vain.
    pub fatal: &'static [&'static str],
    /// How far [`Running::expect`] has read in `normal` and `secure`.
    seen: [usize; 2],
    ended: bool,
    _socket: tempfile::TempDir,
}

/// Starts a machine with its consoles in our hands.
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
    // A socket's path is limited to 108 bytes, so it is not put below target/.
    let socket = tempfile::Builder::new().prefix("janus-").tempdir()?;
    let path = socket.path().join("uart1");
    let listener = UnixListener::bind(&path)?;
    let mut command = qemu.command(machine);
    command.args(["-monitor", "none", "-serial", "stdio"]);
    command
        .arg("-chardev")
        .arg(format!("socket,id=secure,path={}", path.display()))
        .args(["-serial", "chardev:secure"]);
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
    let normal = sender.clone();
    std::thread::spawn(move || {
        pump(stdout, Uart::Normal, &normal);
        let _ = normal.send(Event::End);
    });
    std::thread::spawn(move || {
        if let Ok((stream, _)) = listener.accept() {
            pump(stream, Uart::Secure, &sender);
        }
    });
    Ok(Running {
        stdin: child.stdin.take(),
        child,
        events,
        log: log_file,
        log_path: log.to_owned(),
        echo,
        limits,
        start: Instant::now(),
        last: Instant::now(),
        normal: String::new(),
        secure: String::new(),
        lines: VecDeque::new(),
        partial: Default::default(),
        fatal: &[],
        seen: [0; 2],
        ended: false,
        _socket: socket,
    })
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
    /// Takes in what the machine said. `false`: it has ended.
    ///
    /// # Errors
    /// It hangs: silent for too long, or running for too long.
    fn take_in(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let idle = self.limits.idle.saturating_sub(self.last.elapsed());
        let total = self.limits.total.saturating_sub(self.start.elapsed());
        match self.events.recv_timeout(idle.min(total)) {
            Ok(Event::Bytes(uart, bytes)) => self.add(uart, &bytes),
            Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => {
                // The other console may still have something on its way.
                while let Ok(event) = self.events.recv_timeout(Duration::from_millis(200)) {
                    if let Event::Bytes(uart, bytes) = event {
                        self.add(uart, &bytes);
                    }
                }
                for (index, uart) in [(0, Uart::Normal), (1, Uart::Secure)] {
                    let rest = std::mem::take(&mut self.partial[index]);
                    if !rest.is_empty() {
                        self.line(uart, rest);
                    }
                }
                self.ended = true;
                return Ok(false);
            }
            Err(RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                if total <= idle {
                    bail!("still running after {} s", self.limits.total.as_secs());
                }
                bail!(
                    "hangs: nothing on the consoles for {} s",
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
        }
        let mut pieces = text.split('\n');
        self.partial[index].push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let line = std::mem::replace(&mut self.partial[index], piece.to_owned());
            self.line(uart, line);
        }
    }

    fn line(&mut self, uart: Uart, line: String) {
        let mark = if uart == Uart::Secure { "S| " } else { "" };
        let _ = writeln!(self.log, "{mark}{line}");
        if self.echo {
            let _ = writeln!(std::io::stdout(), "{mark}{line}");
        }
        self.lines.push_back((uart, line));
    }

    /// The next whole line of either console; `None` when the machine has ended.
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

    /// Waits until a console says `text`, whole line or not, after what was expected of it before.
    ///
    /// # Errors
    /// The machine hangs or ends without it.
    pub fn expect(&mut self, uart: Uart, text: &str) -> Result<()> {
        loop {
            let all = if uart == Uart::Normal {
                &self.normal
            } else {
                &self.secure
            };
            let from = self.seen[uart as usize];
            if let Some(at) = all[from..].find(text) {
                self.seen[uart as usize] = from + at + text.len();
                return Ok(());
            }
            let all = &self.normal;
            if let Some(what) = self.fatal.iter().find(|what| all.contains(*what)) {
                // What follows says why; it comes in a burst.
                let until = Instant::now() + Duration::from_secs(3);
                while Instant::now() < until {
                    match self.events.recv_timeout(Duration::from_millis(500)) {
                        Ok(Event::Bytes(uart, bytes)) => self.add(uart, &bytes),
                        _ => break,
                    }
                }
                bail!("the console says `{what}` while waiting for `{text}`");
            }
            match self.take_in() {
                Ok(true) => {}
                Ok(false) => bail!("the machine ended without saying `{text}`"),
                Err(error) => return Err(error.context(format!("waiting for `{text}`"))),
            }
        }
    }

    /// Types text into UART0.
    ///
    /// # Errors
    /// QEMU is gone.
    pub fn send(&mut self, text: &str) -> Result<()> {
        let stdin = self.stdin.as_mut().context("QEMU has a standard input")?;
        stdin
            .write_all(text.as_bytes())
            .and_then(|()| stdin.flush())
            .context("QEMU takes no more input")
    }

    /// Waits for the end; `true` if QEMU's exit status says that nothing went wrong.
    ///
    /// # Errors
    /// The machine hangs.
    pub fn finish(&mut self) -> Result<bool> {
        while self.take_in()? {}
        Ok(self.child.wait()?.success())
    }

    /// The last lines of the log, for an error.
    pub fn last_lines(&self) -> String {
        crate::proc::tail(&self.log_path)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a machine with UART0 on this terminal. `true` if QEMU's exit status is 0.
///
/// # Errors
/// QEMU does not start.
pub fn interactive(qemu: &Qemu, machine: &Machine, secure_log: &Path) -> Result<bool> {
    let socket = tempfile::Builder::new().prefix("janus-").tempdir()?;
    let path = socket.path().join("uart1");
    let listener = UnixListener::bind(&path)?;
    let mut command = qemu.command(machine);
    command.args(["-serial", "mon:stdio"]);
    command
        .arg("-chardev")
        .arg(format!("socket,id=secure,path={}", path.display()))
        .args(["-serial", "chardev:secure"]);
    if let Some(dir) = secure_log.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut log = File::create(secure_log)?;
    std::thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else {
            return;
        };
        let (mut line, mut byte) = (Vec::new(), [0; 256]);
        while let Ok(n @ 1..) = stream.read(&mut byte) {
            for b in &byte[..n] {
                match b {
                    b'\n' => {
                        line.push(b'\n');
                        let _ = log.write_all(&line);
                        // QEMU has the terminal in raw mode: a line begins where we say so.
                        let mut out = b"\rS| ".to_vec();
                        out.extend(&line);
                        out.push(b'\r');
                        let _ = std::io::stdout().lock().write_all(&out);
                        let _ = std::io::stdout().flush();
                        line.clear();
                    }
                    b'\r' => {}
                    b => line.push(*b),
                }
            }
        }
    });
    Ok(command
        .status()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?
        .success())
}
