//! Reads the lines of stdin, each with a limit, whatever bytes they hold.

use std::io::{self, BufRead, Read as _};

use super::field_reader::FieldError;

/// The longest line, in bytes. The largest query has two numbers for each class.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// The lines of a reader.
pub(super) struct QueryLines<R> {
    reader: R,
    number: usize,
}

impl<R: BufRead> QueryLines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// The number of the last line, from 1.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The next line, or why it is none; `None` at the end.
    ///
    /// # Errors
    /// The reader fails.
    pub(super) fn next_line(&mut self) -> io::Result<Option<Result<String, FieldError>>> {
        let mut line = Vec::new();
        self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if line.len() as u64 == MAX_LINE_BYTES && !line.ends_with(b"\n") {
            self.skip_line()?;
            return Ok(Some(Err(FieldError::line(format!(
                "expected at most {MAX_LINE_BYTES} bytes"
            )))));
        }
        if line.ends_with(b"\n") {
            line.pop();
        }
        Ok(Some(String::from_utf8(line).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            FieldError::line(format!("expected UTF-8, found other bytes at byte {}", valid + 1))
        })))
    }

    /// Skips the rest of a line without keeping it.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let used = end.map_or(buffer.len(), |end| end + 1);
            let is_end = end.is_some() || buffer.is_empty();
            self.reader.consume(used);
            if is_end {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_other_bytes_does_not_hide_the_next() {
        let mut text = b"{}\n\xff\xfe\n".to_vec();
        text.extend(vec![b'x'; usize::try_from(MAX_LINE_BYTES).unwrap() + 9]);
        text.extend(b"\nlast");
        let mut lines = QueryLines::new(text.as_slice());
        let mut next = || {
            lines
                .next_line()
                .unwrap()
                .map(|line| line.map_err(|error| error.message))
        };
        assert_eq!(next(), Some(Ok("{}".to_owned())));
        assert!(next().unwrap().unwrap_err().contains("at byte 1"));
        assert!(next().unwrap().unwrap_err().contains("at most"));
        assert_eq!(next(), Some(Ok("last".to_owned())));
        assert_eq!(next(), None);
        assert_eq!(lines.number(), 4);
    }
}
