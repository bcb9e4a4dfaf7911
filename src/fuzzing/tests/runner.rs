//! Runs one target for a bounded time.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use super::{corpus, mutations, panics};

/// The time of each target without `CERTIMIX_FUZZ_SECONDS`. On two processors the targets together
/// take about a minute.
const DEFAULT_SECONDS: u64 = 8;

/// The inputs between two looks at the clock.
const CASES: u32 = 32;

/// The most executions that shrink a failing input.
const MAX_SHRINKS: u32 = 2000;

/// Runs the corpus of `target`, and then mutations of it until the time is over.
///
/// # Panics
/// With the path of the failing input.
pub fn run(target: &str, body: fn(&[u8])) {
    panics::count_from_now_on();
    let corpus = corpus::read(target);
    let current = RefCell::new(CurrentInput::create(target));
    let start = Instant::now();
    for (path, input) in &corpus {
        let before = panics::of_this_thread();
        current.borrow_mut().write(input);
        println!("{}", path.display());
        body(input);
        assert_eq!(
            panics::of_this_thread(),
            before,
            "a task has panicked: {}",
            path.display()
        );
    }
    let (seed, time) = (number("CERTIMIX_FUZZ_SEED", 1), seconds());
    let inputs = mutations::inputs(corpus.into_iter().map(|(_, input)| input).collect());
    let executions = Cell::new(0_u64);
    let mut round = 0_u64;
    while start.elapsed() < time {
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            max_shrink_iters: MAX_SHRINKS,
            ..Config::default()
        };
        let mut runner = TestRunner::new_with_rng(config, random(seed, round));
        let result = runner.run(&inputs, |input| {
            executions.set(executions.get() + 1);
            let before = panics::of_this_thread();
            current.borrow_mut().write(&input);
            let outcome = catch_unwind(|| body(&input));
            if panics::of_this_thread() == before {
                return Ok(());
            }
            panics::silence(true);
            match outcome {
                Ok(()) => Err(TestCaseError::fail("a task has panicked")),
                Err(panic) => resume_unwind(panic),
            }
        });
        if let Err(TestError::Fail(reason, input)) = result {
            panics::silence(false);
            let path = current.borrow().keep(&input);
            panic!(
                "{target}: {reason}\n{} bytes in {}: {}\nrepeat: cargo test --lib fuzzing::targets::tests::{target} with \
                 the file in fuzz/corpus/{target}/, under a name that says what it is",
                input.len(),
                path.display(),
                input.escape_ascii()
            );
        }
        round += 1;
    }
    println!(
        "{target}: {} executions, seed {seed}, {:.1?}",
        executions.get(),
        start.elapsed()
    );
}

fn seconds() -> Duration {
    Duration::from_secs(number("CERTIMIX_FUZZ_SECONDS", DEFAULT_SECONDS))
}

/// A whole number in an environment variable.
fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable}: expected a whole number, found {text:?}")),
        Err(_) => default,
    }
}

/// The random numbers of one round.
fn random(seed: u64, round: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&round.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// A file that holds the input that runs. It remains if the process aborts or is killed.
struct CurrentInput {
    file: File,
    folder: PathBuf,
    target: String,
}

impl CurrentInput {
    fn create(target: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzzing");
        fs::create_dir_all(&folder).unwrap();
        Self {
            file: File::create(folder.join(format!("{target}-current"))).unwrap(),
            folder,
            target: target.to_owned(),
        }
    }

    fn write(&mut self, input: &[u8]) {
        self.file.set_len(0).unwrap();
        self.file.rewind().unwrap();
        self.file.write_all(input).unwrap();
    }

    /// Keeps a failing input, and returns its path.
    fn keep(&self, input: &[u8]) -> PathBuf {
        let path = self.folder.join(format!("{}-failure", self.target));
        fs::write(&path, input).unwrap();
        path
    }
}
