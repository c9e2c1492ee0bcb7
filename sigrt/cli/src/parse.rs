// SPDX-License-Identifier: MIT OR Apache-2.0

//! Values on the command line: durations, numbers, bytes, ranges, patterns.

use std::ops::RangeInclusive;
use std::time::Duration;

/// A duration with its unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => return Err("a number with ns, us, ms or s is needed, such as 10ms".to_owned()),
    };
    let number: f64 = digits
        .parse()
        .map_err(|_| format!("{digits:?} is not a number"))?;
    Duration::try_from_secs_f64(number * unit).map_err(|error| error.to_string())
}

/// A name and a duration, with `=` between.
pub(crate) fn timer(text: &str) -> Result<(String, Duration), String> {
    let (name, period) = text
        .split_once('=')
        .ok_or("NAME=PERIOD is needed, such as tick=10ms")?;
    Ok((name.to_owned(), duration(period)?))
}

/// A number, decimal or hexadecimal.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| error.to_string())
}

/// Events per second, above zero.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("a number above 0 is needed, such as 1000 or 0.5".to_owned()),
    }
}

/// Bytes that were given as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hex(pub(crate) Vec<u8>);

/// Bytes from hexadecimal digits; spaces may stand between.
pub(crate) fn hex(digits: &str) -> Result<Hex, String> {
    let digits: String = digits.chars().filter(|c| !c.is_whitespace()).collect();
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err("hexadecimal digits only".to_owned());
    }
    if !digits.len().is_multiple_of(2) {
        let len = digits.len();
        return Err(format!("an even number of digits is needed, not {len}"));
    }
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16);
    let bytes: Result<_, _> = (0..digits.len()).step_by(2).map(byte).collect();
    bytes
        .map(Hex)
        .map_err(|error: std::num::ParseIntError| error.to_string())
}

/// A kind of event, or several: `3`, `3..7`.
pub(crate) fn kinds(text: &str) -> Result<RangeInclusive<u16>, String> {
    let kind = |text: &str| {
        let number = number(text)?;
        u16::try_from(number).map_err(|error| error.to_string())
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (kind(first)?, kind(last.trim_start_matches('='))?),
        None => (kind(text)?, kind(text)?),
    };
    if first > last {
        return Err(format!("{first} comes after {last}"));
    }
    Ok(first..=last)
}

/// Bits of a value that are looked at, and what they must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    pub(crate) mask: u64,
    pub(crate) wanted: u64,
}

/// A value, `7`, or some bits of one: `1/0xff` is 1 in the bits of 0xff.
pub(crate) fn bits(text: &str) -> Result<Bits, String> {
    let (wanted, mask) = match text.split_once('/') {
        Some((wanted, mask)) => (number(wanted)?, number(mask)?),
        None => (number(text)?, u64::MAX),
    };
    if wanted & !mask != 0 {
        return Err("it has bits outside the mask, so nothing could match".to_owned());
    }
    Ok(Bits { mask, wanted })
}

/// Whether a name matches a pattern, in which `*` stands for anything and `?` for one character.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on if what follows the last `*` does not fit.
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (p, n) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// Whether a name of a source is a pattern.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        for wrong in ["10", "ms", "-1s", "1h", "", "inf s", "1e400s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            timer("tick=1s"),
            Ok(("tick".to_owned(), Duration::from_secs(1)))
        );
        assert!(timer("tick").is_err());
    }

    #[test]
    fn hexadecimal_is_checked() {
        assert_eq!(hex("00 ff 7A"), Ok(Hex(vec![0, 255, 0x7a])));
        assert_eq!(hex(""), Ok(Hex(vec![])));
        for wrong in ["0", "0g", "+1", "éé"] {
            assert!(hex(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_may_be_hexadecimal() {
        assert_eq!(number("0x10"), Ok(16));
        assert_eq!(number("16"), Ok(16));
        assert!(number("-1").is_err());
        assert!(rate("0").is_err() && rate("inf").is_err() && rate("0.5").is_ok());
    }

    #[test]
    fn filters_are_ranges_and_bits() {
        assert_eq!(kinds("3"), Ok(3..=3));
        assert_eq!(kinds("3..0x10"), Ok(3..=16));
        assert_eq!(kinds("3..=4"), Ok(3..=4));
        assert!(kinds("4..3").is_err() && kinds("70000").is_err() && kinds("..").is_err());
        let some = Bits {
            mask: 0xff,
            wanted: 1,
        };
        assert_eq!(bits("1/0xff"), Ok(some));
        assert_eq!(bits("7").map(|b| b.mask), Ok(u64::MAX));
        assert!(bits("0x100/0xff").is_err());
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name) in [
            ("adc*", "adc0"),
            ("*", ""),
            ("a*b*c", "aXbYbc"),
            ("?", "x"),
            ("*0", "adc00"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("adc", "adc0"),
            ("a*b", "abc"),
            ("?", ""),
            ("??", "x"),
            ("*1", "adc0"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
