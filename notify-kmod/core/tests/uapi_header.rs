// SPDX-License-Identifier: MIT OR Apache-2.0

//! Generates the C header from `abi` and compares it with the one that is checked in.
//!
//! After a change of the ABI: `RTNOTIFY_BLESS=1 cargo test -p rtnotify-core --test uapi_header`, then read the
//! difference. `tests/c_layout.rs` has compilers check the result.

#[path = "common/structs.rs"]
mod structs;

use rtnotify_core::abi;
use std::{fmt::Write as _, fs};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../include/uapi/rtnotify.h");

const HEAD: &str = "\
/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR MIT) */
/*
 * rtnotify: signal-driven notification with payloads, the interface between
 * the module and its users.
 *
 * Generated from notify-kmod/core/src/abi.rs; do not edit. See docs/abi.md.
 */
#ifndef RTNOTIFY_UAPI_H
#define RTNOTIFY_UAPI_H

#include <linux/types.h>

";

const ASSERT_HEAD: &str = "\
#if defined(__cplusplus) && __cplusplus >= 201103L
#define RTNOTIFY_ASSERT_SIZE(type, size) \\
	static_assert(sizeof(struct type) == (size), #type)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define RTNOTIFY_ASSERT_SIZE(type, size) \\
	_Static_assert(sizeof(struct type) == (size), #type)
#endif
#ifdef RTNOTIFY_ASSERT_SIZE
";

const HELPERS: &str = "\
/**
 * rtnotify_is_event() - Whether a record is an event, and no note about its source.
 * @record: the record
 */
static __inline__ int rtnotify_is_event(const struct rtnotify_record *record)
{
	return record->kind < RTNOTIFY_FIRST_RESERVED_KIND;
}

/**
 * rtnotify_is_gap() - Whether a record says what was lost.
 * @record: the record
 */
static __inline__ int rtnotify_is_gap(const struct rtnotify_record *record)
{
	return record->kind == RTNOTIFY_KIND_GAP;
}

/**
 * rtnotify_trailing_len() - Bytes of payload that follow a record in a frame.
 * @record: the record
 *
 * 0 for a note, and for a payload that lies in the record's value.
 */
static __inline__ __u32
rtnotify_trailing_len(const struct rtnotify_record *record)
{
	if (!rtnotify_is_event(record) || (record->flags & RTNOTIFY_RECORD_INLINE))
		return 0;
	return record->payload_len;
}

/**
 * rtnotify_frame_len() - Length of a record with its payload and padding.
 * @record: the record
 *
 * The next record of the same read starts that many bytes after this one.
 */
static __inline__ __u32
rtnotify_frame_len(const struct rtnotify_record *record)
{
	__u32 len = rtnotify_trailing_len(record);

	return (__u32)sizeof(*record) + ((len + (RTNOTIFY_FRAME_ALIGN - 1U)) &
					 ~(RTNOTIFY_FRAME_ALIGN - 1U));
}

/**
 * rtnotify_payload() - Where the payload of a record lies.
 * @record: the record, with what follows it in the frame
 *
 * @record->payload_len bytes are there; none of a note.
 */
static __inline__ const void *
rtnotify_payload(const struct rtnotify_record *record)
{
	if (record->flags & RTNOTIFY_RECORD_INLINE)
		return &record->value;
	return record + 1;
}

#endif /* RTNOTIFY_UAPI_H */
";

const IOC_COMMENT: &str = "\
/*
 * The size in these numbers is 0 on purpose: every structure starts with its
 * own size, so that it can grow while the number stays the same.
 */
";

/// Sets of bits read better in hexadecimal.
fn literal(name: &str, value: u64) -> String {
    const BITS: &[&str] = &["REG_", "SUB_", "RECORD_", "LOST_", "POST_", "STATE_"];
    if name.starts_with("IOC_") {
        format!("0x{value:08x}U")
    } else if name == "SOURCE_WRITABLE" || BITS.iter().any(|b| name.starts_with(b)) {
        format!("0x{value:x}U")
    } else if name.starts_with("KIND_") {
        format!("0x{value:x}")
    } else {
        assert!(i32::try_from(value).is_ok(), "{name} needs a suffix");
        value.to_string()
    }
}

/// Rust documentation as C reads it.
fn plain(text: &str) -> String {
    text.replace('`', "").replace("*/", "* /")
}

/// Breaks `text` into comment lines, the first one after `lead`.
fn wrap(out: &mut String, lead: &str, text: &str) {
    let mut line = format!(" * {lead}");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > 79 {
            writeln!(out, "{}", line.trim_end()).unwrap();
            line = " *  ".to_string();
        }
        if !line.ends_with(' ') {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{}", line.trim_end()).unwrap();
}

fn paragraphs(doc: &[&str]) -> Vec<String> {
    let lines: Vec<_> = doc.iter().map(|l| plain(l.trim())).collect();
    lines
        .split(String::is_empty)
        .filter(|p| !p.is_empty())
        .map(|p| p.join(" "))
        .collect()
}

fn structure(out: &mut String, s: &structs::Struct) {
    let mut text = paragraphs(s.doc);
    let (title, rest) = match text[0].split_once(". ") {
        Some((title, rest)) => (format!("{title}."), rest.to_string()),
        None => (text[0].clone(), String::new()),
    };
    text[0] = rest;

    out.push_str("/**\n");
    wrap(out, &format!("struct {} -", s.name), &title);
    for field in s.fields {
        wrap(
            out,
            &format!("@{}:", field.name),
            &paragraphs(field.doc).join(" "),
        );
    }
    for paragraph in text.iter().filter(|p| !p.is_empty()) {
        out.push_str(" *\n");
        let mut wrapped = String::new();
        wrap(&mut wrapped, "", paragraph);
        out.push_str(&wrapped.replace(" *  ", " * "));
    }
    writeln!(out, " */\nstruct {} {{", s.name).unwrap();
    for field in s.fields {
        write!(out, "\t{} {}", structs::c_type(field), field.name).unwrap();
        if field.c_array > 0 {
            write!(out, "[{}]", field.c_array).unwrap();
        }
        out.push_str(";\n");
    }
    out.push_str("};\n\n");
}

fn header() -> String {
    let mut out = HEAD.to_string();
    writeln!(
        out,
        "/* The device. */\n#define RTNOTIFY_DEVICE \"/dev/{}\"",
        abi::DEVICE_NAME
    )
    .unwrap();
    let mut group = "";
    for (name, value, doc) in abi::C_CONSTANTS {
        let prefix = name.split('_').next().unwrap();
        if prefix != group {
            out.push('\n');
            if prefix == "IOC" {
                out.push_str(IOC_COMMENT);
            }
            group = prefix;
        }
        let definition = format!("#define RTNOTIFY_{name} {}", literal(name, *value));
        writeln!(out, "/* {} */\n{definition}", plain(doc)).unwrap();
    }
    out.push('\n');
    let all = structs::all();
    for s in &all {
        structure(&mut out, s);
    }
    out.push_str(ASSERT_HEAD);
    for s in &all {
        writeln!(out, "RTNOTIFY_ASSERT_SIZE({}, {});", s.name, s.size).unwrap();
    }
    out.push_str("#undef RTNOTIFY_ASSERT_SIZE\n#endif\n\n");
    out.push_str(HELPERS);
    out
}

#[test]
fn header_is_current() {
    let wanted = header();
    if std::env::var_os("RTNOTIFY_BLESS").is_some_and(|v| v == "1") {
        let parent = std::path::Path::new(PATH).parent().unwrap();
        fs::create_dir_all(parent).unwrap();
        fs::write(PATH, &wanted).unwrap();
        return;
    }
    let found = fs::read_to_string(PATH)
        .unwrap_or_else(|e| panic!("{PATH}: {e}; run this test with RTNOTIFY_BLESS=1"));
    if found != wanted {
        let same = wanted
            .lines()
            .zip(found.lines())
            .take_while(|(a, b)| a == b)
            .count();
        panic!(
            "include/uapi/rtnotify.h does not say what abi.rs says, from line {} on:\n  \
             checked in: {}\n  generated:  {}\n\
             If the change is meant, run this test with RTNOTIFY_BLESS=1 and look at `git diff`; \
             numbers and layouts are only added to.",
            same + 1,
            found.lines().nth(same).unwrap_or("(end)"),
            wanted.lines().nth(same).unwrap_or("(end)"),
        );
    }
}

/// A constant that is not in the header is one that C programs write down a second time.
#[test]
fn every_constant_is_in_the_header() {
    // The name is a string and appears as RTNOTIFY_DEVICE; the type byte is inside the commands; the masks and
    // the number of lanes are what this version knows, which the header does not freeze.
    const NOT_THERE: &[&str] = &[
        "DEVICE_NAME",
        "IOC_TYPE",
        "REG_FLAGS",
        "SUB_FLAGS",
        "MAX_LANES",
        "C_CONSTANTS",
    ];
    let source = include_str!("../src/abi.rs");
    let mut seen = 0;
    for line in source.lines() {
        let Some(rest) = line.strip_prefix("pub const ") else {
            continue;
        };
        let Some((name, _)) = rest.split_once(':').filter(|(n, _)| !n.contains('(')) else {
            continue;
        };
        seen += 1;
        let listed = abi::C_CONSTANTS.iter().filter(|c| c.0 == name).count();
        let wanted = usize::from(!NOT_THERE.contains(&name));
        assert_eq!(listed, wanted, "abi::{name} in C_CONSTANTS");
    }
    assert_eq!(seen, abi::C_CONSTANTS.len() + NOT_THERE.len());
}

/// Commands differ, and structures that are extended keep their size in front.
#[test]
fn commands_and_sizes() {
    let commands: Vec<_> = abi::C_CONSTANTS
        .iter()
        .filter(|c| c.0.starts_with("IOC_"))
        .collect();
    let mut last = 0xc000_b700;
    for (name, value, doc) in commands {
        assert!((last + 1..0xc000_b800).contains(value), "{name}");
        last = *value;
        let of = doc.strip_prefix("struct ").unwrap();
        let all = structs::all();
        let s = all.iter().find(|s| s.name == of).unwrap();
        assert_eq!((s.fields[0].name, s.fields[0].offset), ("size", 0), "{of}");
        assert_eq!((s.fields[1].name, s.fields[1].offset), ("flags", 4), "{of}");
    }
}
