// SPDX-License-Identifier: BSD-3-Clause

//! FFA_CONSOLE_LOG: what the SPMC prints, and what it cannot.

mod support;

use janus_spmd::{Action, Version, Work};
use support::*;

/// Logs `text` in one call and returns the lines that it completed.
fn log(machine: &mut Machine, text: &[u8], is_64: bool) -> Vec<String> {
    let width = if is_64 { 8 } else { 4 };
    // Upper halves that must not be printed.
    machine.secure = [0x5858_5858_5858_5858; 18];
    machine.secure[0] = id(0x8A, is_64);
    machine.secure[1] = text.len() as u64;
    for (reg, chunk) in machine.secure[2..].iter_mut().zip(text.chunks(width)) {
        let mut bytes = reg.to_le_bytes();
        bytes[..chunk.len()].copy_from_slice(chunk);
        *reg = u64::from_le_bytes(bytes);
    }
    let x8 = machine.secure[8];
    let Action::El3(Work::ConsoleLog(log)) = machine.secure_says(&[]) else {
        panic!("not logged: {:x?}", machine.secure);
    };
    let mut lines = Vec::new();
    log.lines(&mut machine.core, &mut machine.secure, |line| {
        lines.push(line.to_string())
    });
    assert_eq!(machine.secure[..8], [id(0x61, false), 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(machine.secure[8], x8);
    lines
}

fn machine() -> Machine {
    Machine::running(config(Version::V1_2))
}

#[test]
fn lines_in_one_call_in_many_and_by_the_character() {
    let mut machine = machine();
    assert_eq!(log(&mut machine, b"hello\n", false), ["hello"]);
    assert_eq!(
        log(&mut machine, b"one\ntwo\n\nthree", true),
        ["one", "two", ""]
    );
    assert_eq!(
        log(&mut machine, b" and a half\r\n", true),
        ["three and a half"]
    );
    let text = b"exactly twenty-four chr\n";
    assert_eq!(log(&mut machine, text, false), ["exactly twenty-four chr"]);
    for byte in b"single" {
        assert_eq!(log(&mut machine, &[*byte], false), [""; 0]);
    }
    assert_eq!(log(&mut machine, b"\n", false), ["single"]);
    let long = [b'a'; 128];
    assert_eq!(
        log(&mut machine, &long, true),
        ["a".repeat(120)],
        "a long line is broken"
    );
    assert_eq!(log(&mut machine, b"\n", true), ["a".repeat(8)]);
}

#[test]
fn nothing_can_be_forged() {
    let mut machine = machine();
    let text = b"x\x1b[2J\rINFO: fine\0\x07\x80\xff\t\\\x7f\n";
    assert_eq!(
        log(&mut machine, text, true),
        ["x\\x1b[2J\\x0dINFO: fine\\x00\\x07\\x80\\xff\\t\\\\\\x7f"]
    );
}

#[test]
fn a_bad_count_is_refused() {
    for (is_64, count) in [
        (false, 0),
        (false, 25),
        (false, 128),
        (true, 0),
        (true, 129),
        (true, 0xFFFF_FFFF),
    ] {
        let mut machine = machine();
        assert_eq!(
            machine.secure_says(&[id(0x8A, is_64), count]),
            Action::Return
        );
        assert_eq!(machine.secure[..3], [id(0x60, false), 0, error_code(-2)]);
    }
    let mut machine = machine();
    let action = machine.secure_says(&[id(0x8A, true), 0xFFFF_FFFF_0000_0001]);
    assert!(
        matches!(action, Action::El3(Work::ConsoleLog(_))),
        "the count is w1"
    );
}

#[test]
fn the_last_words_of_an_spmc_that_dies() {
    let mut machine = machine();
    assert!(log(&mut machine, b"panic: oh", true).is_empty());
    assert_eq!(
        machine.secure_says(&[id(0x90, false)]),
        Action::El3(Work::Aborted)
    );
    let mut words = None;
    machine
        .core
        .take_unfinished_line(|line| words = Some(line.to_string()));
    assert_eq!(words.as_deref(), Some("panic: oh"));
    machine
        .core
        .take_unfinished_line(|_| panic!("they are said once"));
}
