//! The noise of many coordinates at once, with the vector instructions of x86-64.
//!
//! [`avx512`] and [`avx2`] compute the noise of the portable path bit for bit, as the tests show for
//! each of them that the processor has: the same key stream, and the same noise of each word.
//! [`instruction_set`] chooses at run time. Processors without AVX2, and aarch64, take the portable
//! path.
//!
//! Why not a library: the `chacha20` crate takes four blocks at a time and writes bytes to memory,
//! at more than half of the time that a value may take. `bytemuck` converts the vectors, so the
//! only unsafe code is the call of a function for instructions that the processor has.

mod avx2;
mod avx512;
mod block_loops;
mod instruction_set;
mod stream_state;
mod undecided;

pub(super) use instruction_set::InstructionSet;
pub(super) use stream_state::StreamState;
