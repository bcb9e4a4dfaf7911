//! Text within a given number of columns: display widths, wrapped paragraphs, and names that are
//! shortened by whole words.

use unicode_width::UnicodeWidthStr as _;

/// Stands for the words that a shortened name lacks.
const ELLIPSIS: &str = "…";

/// The number of terminal columns that `text` takes.
#[must_use]
pub fn display_width(text: &str) -> usize {
    text.width()
}

/// `text` on one line: control characters, which could move the cursor, become `�`.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect()
}

/// The part of a name that stays when it is shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The first words, as in "great white …".
    Start,
    /// The last words, as in "…-0007.png".
    End,
}

/// The name in at most `width` columns: the whole name, or as many of its first or last words as
/// fit, with an ellipsis for the others. No word is cut. `None` if not even one word fits.
#[must_use]
pub fn shorten(name: &str, width: usize, keep: Keep) -> Option<String> {
    if display_width(name) <= width {
        return Some(name.to_owned());
    }
    let candidates = word_starts(name).filter(|&start| start > 0).map(|start| match keep {
        Keep::Start => format!("{}{ELLIPSIS}", &name[..start]),
        Keep::End => format!("{ELLIPSIS}{}", &name[start..]),
    });
    let fitting = candidates.filter(|text| display_width(text) <= width);
    match keep {
        Keep::Start => fitting.last(),
        Keep::End => fitting.min_by_key(|text| std::cmp::Reverse(text.len())),
    }
}

/// The byte positions at which a word begins. Words are runs of letters and digits.
fn word_starts(text: &str) -> impl Iterator<Item = usize> {
    let mut inside = false;
    text.char_indices().filter_map(move |(position, letter)| {
        let starts = letter.is_alphanumeric() && !inside;
        inside = letter.is_alphanumeric();
        starts.then_some(position)
    })
}

/// Wraps one line between words, to at most `width` columns. Further lines begin with `indent`. A
/// word that is longer than a line is cut.
#[must_use]
pub fn wrap(text: &str, width: usize, indent: &str) -> Vec<String> {
    let options = textwrap::Options::new(width)
        .subsequent_indent(indent)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, options)
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

/// Wraps a line of parts between " · ", and only parts that are too long between words.
#[must_use]
pub fn wrap_parts(text: &str, width: usize, indent: &str) -> Vec<String> {
    const SEPARATOR: &str = " · ";
    let mut lines: Vec<String> = Vec::new();
    for part in text.split(SEPARATOR) {
        match lines.last_mut() {
            Some(line) if display_width(line) + display_width(SEPARATOR) + display_width(part) <= width => {
                line.push_str(SEPARATOR);
                line.push_str(part);
            }
            Some(_) => lines.extend(wrap(&format!("{indent}{part}"), width, indent)),
            None => lines.extend(wrap(part, width, indent)),
        }
    }
    lines
}

/// A count and its noun: "1 input", "2 inputs".
#[must_use]
pub fn count_of(count: usize, singular: &str) -> String {
    match count {
        1 => format!("1 {singular}"),
        _ => format!("{count} {singular}s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_whole_words() {
        let end = |width| shorten("ILSVRC2012_val-00000293.JPEG", width, Keep::End);
        assert_eq!(end(28).as_deref(), Some("ILSVRC2012_val-00000293.JPEG"));
        assert_eq!(end(27).as_deref(), Some("…val-00000293.JPEG"));
        assert_eq!(end(14).as_deref(), Some("…00000293.JPEG"));
        assert_eq!(end(13).as_deref(), Some("…JPEG"));
        assert_eq!(end(4), None);
        let start = |width| shorten("great white shark", width, Keep::Start);
        assert_eq!(start(16).as_deref(), Some("great white …"));
        assert_eq!(start(12).as_deref(), Some("great …"));
        assert_eq!(start(6), None);
        assert_eq!(shorten("", 0, Keep::End).as_deref(), Some(""));
    }

    #[test]
    fn a_count_has_its_noun() {
        assert_eq!(
            [0, 1, 2].map(|count| count_of(count, "input")),
            ["0 inputs", "1 input", "2 inputs"]
        );
    }

    #[test]
    fn a_line_of_parts_is_broken_between_them() {
        let wrapped = wrap_parts("15 of 20 correct · alpha 0.76 · config 01234567 · 1.1 s", 30, "  ");
        assert_eq!(wrapped, ["15 of 20 correct · alpha 0.76", "  config 01234567 · 1.1 s"]);
        assert_eq!(wrap_parts("one two three", 9, " "), ["one two", " three"]);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nb"), "a\u{fffd}[2J\u{fffd}b");
    }

    proptest! {
        #[test]
        fn a_shortened_name_fits_and_cuts_no_word(name in "[a-zß0-9_. ()日-]{0,40}", width in 0usize..50) {
            for keep in [Keep::Start, Keep::End] {
                let Some(short) = shorten(&name, width, keep) else { continue };
                prop_assert!(display_width(&short) <= width);
                let words: Vec<&str> = name.split(|letter: char| !letter.is_alphanumeric()).collect();
                for word in short.split(|letter: char| !letter.is_alphanumeric()) {
                    prop_assert!(word.is_empty() || words.contains(&word), "{short:?} of {name:?}");
                }
            }
        }

        #[test]
        fn wrapped_lines_fit(text in "(\\PC{0,40}( · )?){0,6}", width in 4usize..100) {
            for line in wrap(&text, width, "  ").into_iter().chain(wrap_parts(&text, width, "  ")) {
                prop_assert!(display_width(&line) <= width, "{line:?}");
            }
        }
    }
}
