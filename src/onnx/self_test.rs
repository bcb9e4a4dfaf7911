//! Finds out whether a backend computes one deterministic function of each row.
//!
//! The theorem of smoothing speaks of a function F. A runtime whose result for a row depends on the row's place in the
//! batch, on the other rows, or on the session, is not a function, and its votes prove nothing.

use super::{Backend, BackendError, Halt};

/// What the self-test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SelfTest {
    /// Not a bit differed.
    Exact,
    /// Something differed.
    Inexact {
        /// What, for the operator.
        what: String,
    },
}

/// Runs the same rows alone, in other places, with other batch mates, in every session and twice.
///
/// `rows` are typical inputs, `rows.len() / input_len` of them, at least two.
///
/// # Errors
/// If a run fails.
pub fn self_test<B: Backend>(sessions: &mut [B], rows: &[f32]) -> Result<SelfTest, BackendError> {
    let mut expected: Vec<Vec<f32>> = Vec::new();
    for (index, session) in sessions.iter_mut().enumerate() {
        let (input_len, output_len) = (session.input_len(), session.output_len());
        let batch = session.max_batch_size();
        let inputs: Vec<&[f32]> = rows.chunks_exact(input_len).collect();
        let mut output = Vec::new();
        for (number, input) in inputs.iter().enumerate() {
            session.run(1, input, &mut output, &Halt::new(1))?;
            match expected.get(number) {
                None => expected.push(output.clone()),
                Some(before) if same(before, &output) => {}
                Some(_) => {
                    return Ok(inexact(format!(
                        "session {index} answers otherwise than session 0 on row {number}"
                    )));
                }
            }
        }
        // Each full batch starts at another row, so that every row meets other places and other mates.
        for shift in 0..inputs.len().max(1) {
            let order: Vec<usize> = (0..batch)
                .map(|place| (place * (shift + 1) + shift) % inputs.len())
                .collect();
            let mixed: Vec<f32> = order
                .iter()
                .flat_map(|&number| inputs[number].iter().copied())
                .collect();
            session.run(batch, &mixed, &mut output, &Halt::new(1))?;
            for (place, (&number, found)) in order.iter().zip(output.chunks_exact(output_len)).enumerate() {
                if !same(&expected[number], found) {
                    let what =
                        format!("session {index} answers otherwise for a row in place {place} of {batch} than alone");
                    return Ok(inexact(what));
                }
            }
        }
    }
    Ok(SelfTest::Exact)
}

fn same(left: &[f32], right: &[f32]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| left.to_bits() == right.to_bits())
}

fn inexact(what: String) -> SelfTest {
    SelfTest::Inexact { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums each row; `flaw` spoils it.
    struct Sum {
        flaw: fn(row: usize, rows: usize) -> f32,
    }

    impl Backend for Sum {
        fn input_len(&self) -> usize {
            2
        }
        fn output_len(&self) -> usize {
            1
        }
        fn max_batch_size(&self) -> usize {
            4
        }
        fn run(&mut self, rows: usize, input: &[f32], output: &mut Vec<f32>, _: &Halt) -> Result<(), BackendError> {
            output.clear();
            output.extend(
                input
                    .chunks_exact(2)
                    .enumerate()
                    .map(|(row, values)| values[0] + values[1] + (self.flaw)(row, rows)),
            );
            Ok(())
        }
        fn pads(&self) -> bool {
            true
        }
        fn probe(&mut self) -> Result<(), BackendError> {
            Ok(())
        }
        fn reopen(&self) -> Result<Self, BackendError> {
            Ok(Self { flaw: self.flaw })
        }
    }

    const ROWS: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

    #[test]
    fn a_function_passes() {
        let mut sessions = [Sum { flaw: |_, _| 0.0 }, Sum { flaw: |_, _| 0.0 }];
        assert_eq!(self_test(&mut sessions, &ROWS).unwrap(), SelfTest::Exact);
    }

    #[test]
    fn place_batch_size_and_session_are_found_out() {
        let flaws: [fn(usize, usize) -> f32; 2] = [
            |row, _| if row == 3 { 1e-6 } else { 0.0 },
            |_, rows| if rows > 1 { 1e-6 } else { 0.0 },
        ];
        for flaw in flaws {
            assert!(matches!(
                self_test(&mut [Sum { flaw }], &ROWS).unwrap(),
                SelfTest::Inexact { .. }
            ));
        }
        let mut sessions = [Sum { flaw: |_, _| 0.0 }, Sum { flaw: |_, _| 1e-6 }];
        assert!(matches!(
            self_test(&mut sessions, &ROWS).unwrap(),
            SelfTest::Inexact { .. }
        ));
    }
}
