//! Turns the panics of the Parquet parser into errors.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use parquet::errors::ParquetError;

thread_local! {
    static IS_PARSING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside [`call_parser`].
#[cfg(test)]
pub(crate) fn is_parsing() -> bool {
    IS_PARSING.get()
}

/// Calls the parser. A panic of it prints nothing, and becomes an error.
///
/// # Errors
/// The message of the parser.
pub(in crate::evaluation) fn call_parser<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    print_no_panic_of_the_parser();
    let outer = IS_PARSING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    IS_PARSING.set(outer);
    match result {
        Ok(parsed) => parsed.map_err(|error| message(&error)),
        Err(_) => Err("its contents contradict its metadata".to_owned()),
    }
}

/// The text of the error on one line, without the name of the library.
fn message(error: &ParquetError) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("Parquet error: ").unwrap_or(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lets the panic hook of the process pass over the panics inside [`call_parser`].
fn print_no_panic_of_the_parser() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let earlier = panic::take_hook();
        panic::set_hook(Box::new(move |information| {
            if !IS_PARSING.get() {
                earlier(information);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(call_parser(|| Ok(3)), Ok(3));
        let wrong = call_parser::<()>(|| Err(ParquetError::General("two\nlines".to_owned())));
        assert_eq!(wrong, Err("two lines".to_owned()));
        let panicked = call_parser::<()>(|| panic!("this must not be printed"));
        assert_eq!(panicked, Err("its contents contradict its metadata".to_owned()));
        assert!(!is_parsing());
    }
}
