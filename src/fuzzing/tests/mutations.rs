//! Inputs as proptest draws them: an input of the corpus with a few edits, or any bytes.
//!
//! A failing case shrinks to the fewest edits that still fail.

use std::rc::Rc;

use proptest::prelude::*;
use proptest::sample::Index;

/// The most bytes of an input without a seed.
const MAX_RANDOM: usize = 2048;

/// The most edits of one input.
const MAX_EDITS: usize = 8;

/// The largest input after the edits, in bytes.
const MAX_LENGTH: usize = 64 << 10;

/// One change of an input.
#[derive(Debug, Clone)]
enum Edit {
    Flip {
        at: Index,
        bit: u8,
    },
    Set {
        at: Index,
        byte: u8,
    },
    /// Sets a whole number of 1 to 8 bytes.
    Number {
        at: Index,
        width: usize,
        value: u64,
        is_big_endian: bool,
    },
    /// Replaces a run of digits with another number.
    Digits {
        at: Index,
        text: String,
    },
    Insert {
        at: Index,
        bytes: Vec<u8>,
    },
    Remove {
        at: Index,
        length: Index,
    },
    Cut {
        at: Index,
    },
    /// Copies a part of an input of the corpus to another place.
    Splice {
        at: Index,
        seed: Index,
        from: Index,
        length: Index,
        replaces: bool,
    },
    /// Repeats a part.
    Repeat {
        at: Index,
        length: Index,
        times: usize,
    },
}

/// The numbers that code most often treats wrongly.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x3f80_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// Numbers as text, for JSON and TOML.
const TEXTS: [&str; 18] = [
    "0",
    "-1",
    "1",
    "255",
    "256",
    "65536",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "0.5",
    "1e-300",
    "1e308",
    "1e999",
    "nan",
    "-inf",
    "null",
];

/// Inputs from `seeds`.
pub fn inputs(seeds: Vec<Vec<u8>>) -> BoxedStrategy<Vec<u8>> {
    let seeds = Rc::new(seeds);
    let edited = (any::<Index>(), prop::collection::vec(edit(), 1..=MAX_EDITS)).prop_map(move |(seed, edits)| {
        let mut bytes = seed.get(&seeds).clone();
        for edit in edits {
            edit.apply(&mut bytes, &seeds);
            bytes.truncate(MAX_LENGTH);
        }
        bytes
    });
    let random = prop::collection::vec(any::<u8>(), 0..MAX_RANDOM);
    prop_oneof![5 => edited, 1 => random].boxed()
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let number = prop_oneof![prop::sample::select(&EDGES[..]), any::<u64>()];
    let text = prop_oneof![
        4 => prop::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        1 => any::<u32>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| format!("{number:e}")),
    ];
    prop_oneof![
        (at(), 0..8u8).prop_map(|(at, bit)| Edit::Flip { at, bit }),
        (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Set { at, byte }),
        (at(), prop::sample::select(&[1, 2, 3, 4, 8][..]), number, any::<bool>()).prop_map(
            |(at, width, value, is_big_endian)| Edit::Number {
                at,
                width,
                value,
                is_big_endian
            }
        ),
        (at(), text).prop_map(|(at, text)| Edit::Digits { at, text }),
        (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Edit::Insert { at, bytes }),
        (at(), at()).prop_map(|(at, length)| Edit::Remove { at, length }),
        at().prop_map(|at| Edit::Cut { at }),
        (at(), at(), at(), at(), any::<bool>()).prop_map(|(at, seed, from, length, replaces)| Edit::Splice {
            at,
            seed,
            from,
            length,
            replaces
        }),
        (at(), at(), 1..9usize).prop_map(|(at, length, times)| Edit::Repeat { at, length, times }),
    ]
}

/// A length from 1 to `most`; short lengths are more likely. 0 if there is nothing.
fn length_of(length: Index, most: usize) -> usize {
    if most == 0 {
        return 0;
    }
    let share = length.index(1 << 16);
    let bounded = if share.is_multiple_of(4) { most } else { most.min(16) };
    1 + length.index(bounded)
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match self {
            Self::Flip { at, bit } => {
                let at = place(at, bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Set { at, byte } => {
                let at = place(at, bytes);
                if let Some(found) = bytes.get_mut(at) {
                    *found = *byte;
                }
            }
            Self::Number {
                at,
                width,
                value,
                is_big_endian,
            } => {
                let at = place(at, bytes);
                let number = if *is_big_endian {
                    value.to_be_bytes()[8 - width..].to_vec()
                } else {
                    value.to_le_bytes()[..*width].to_vec()
                };
                for (found, byte) in bytes.iter_mut().skip(at).zip(number) {
                    *found = byte;
                }
            }
            Self::Digits { at, text } => replace_digits(bytes, at, text),
            Self::Insert { at, bytes: inserted } => {
                let at = place(at, bytes);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Self::Remove { at, length } => {
                let at = place(at, bytes);
                let end = at + length_of(*length, bytes.len() - at);
                bytes.drain(at..end);
            }
            Self::Cut { at } => bytes.truncate(place(at, bytes)),
            Self::Splice {
                at,
                seed,
                from,
                length,
                replaces,
            } => {
                let (at, seed) = (place(at, bytes), seed.get(seeds));
                let from = place(from, seed);
                let part = &seed[from..from + length_of(*length, seed.len() - from)];
                let end = if *replaces {
                    bytes.len().min(at + part.len())
                } else {
                    at
                };
                bytes.splice(at..end, part.iter().copied());
            }
            Self::Repeat { at, length, times } => {
                let at = place(at, bytes);
                let part = bytes[at..at + length_of(*length, bytes.len() - at)].to_vec();
                bytes.splice(at..at, part.repeat(*times));
            }
        }
    }
}

/// Replaces one run of the characters of numbers.
fn replace_digits(bytes: &mut Vec<u8>, at: &Index, text: &str) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let starts: Vec<usize> = (0..bytes.len())
        .filter(|&place| is_digit(&bytes[place]) && (place == 0 || !is_digit(&bytes[place - 1])))
        .collect();
    if starts.is_empty() {
        return;
    }
    let start = *at.get(&starts);
    let length = bytes[start..].iter().take_while(|byte| is_digit(byte)).count();
    bytes.splice(start..start + length, text.bytes());
}
