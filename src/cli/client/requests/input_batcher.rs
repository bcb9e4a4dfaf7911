//! Groups inputs into requests within the server's limits, in their order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cli::client::input::{InputReader, ModelInput, ReadSource};

/// Reserved for all parts of a request other than the values: field tags, the shape, options.
const OVERHEAD_BYTES: u64 = 1024;

/// The most inputs in one request. It shrinks when the server refuses larger requests.
#[derive(Debug)]
pub(super) struct BatchLimit(AtomicUsize);

impl BatchLimit {
    /// Starts with `inputs`, at least 1.
    pub(super) fn new(inputs: usize) -> Self {
        Self(AtomicUsize::new(inputs.max(1)))
    }

    /// The most inputs in a request now.
    pub(super) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Lowers the limit to `inputs`, at least 1, unless it is lower already.
    pub(super) fn lower_to(&self, inputs: usize) {
        self.0.fetch_min(inputs.max(1), Ordering::Relaxed);
    }
}

/// The inputs of one request.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Inputs of one type.
    pub inputs: Vec<ModelInput>,
    /// The number of files that end with one of these inputs.
    pub files: u64,
}

/// One step of the work.
#[derive(Debug)]
pub(super) enum WorkItem {
    /// A request to send.
    Send(Batch),
    /// A file or an input that cannot be sent, and why.
    Unreadable(String),
}

#[derive(Debug)]
enum Queued {
    Input { input: ModelInput, ends_file: bool },
    Failed(String),
}

/// Cuts the inputs of a reader into batches.
pub(super) struct InputBatcher<'a> {
    reader: InputReader,
    queue: VecDeque<Queued>,
    limit: &'a BatchLimit,
    /// The maximum size of a whole message, in bytes.
    max_message_bytes: u64,
}

impl<'a> InputBatcher<'a> {
    /// Reads from `reader`.
    pub(super) fn new(reader: InputReader, limit: &'a BatchLimit, max_message_bytes: u64) -> Self {
        Self {
            reader,
            queue: VecDeque::new(),
            limit,
            max_message_bytes,
        }
    }

    /// The next step; `None` after the last. A batch ends before an input of another type, before a
    /// failure, and where the next input would exceed a limit.
    pub(super) async fn next(&mut self) -> Option<WorkItem> {
        let max_data_bytes = self.max_message_bytes.saturating_sub(OVERHEAD_BYTES);
        let mut batch = Batch::default();
        let mut used_bytes = 0;
        while let Some(queued) = self.take_front().await {
            let reason = match queued {
                Queued::Failed(reason) => reason,
                Queued::Input { input, ends_file } => {
                    let bytes = input.data.len() as u64;
                    let fits_alone = bytes <= max_data_bytes;
                    let joins = batch.inputs.last().is_none_or(|last| last.dtype == input.dtype)
                        && batch.inputs.len() < self.limit.get()
                        && used_bytes + bytes <= max_data_bytes;
                    if fits_alone && joins {
                        used_bytes += bytes;
                        batch.files += u64::from(ends_file);
                        batch.inputs.push(input);
                        continue;
                    }
                    if fits_alone {
                        self.queue.push_front(Queued::Input { input, ends_file });
                        break;
                    }
                    format!(
                        "{}: has {bytes} bytes, but the server accepts messages of at most {} bytes",
                        input.name, self.max_message_bytes
                    )
                }
            };
            if batch.inputs.is_empty() {
                return Some(WorkItem::Unreadable(reason));
            }
            self.queue.push_front(Queued::Failed(reason));
            break;
        }
        (!batch.inputs.is_empty()).then_some(WorkItem::Send(batch))
    }

    async fn take_front(&mut self) -> Option<Queued> {
        while self.queue.is_empty() {
            match self.reader.next().await? {
                ReadSource::Failed(reason) => self.queue.push_back(Queued::Failed(reason)),
                ReadSource::Inputs(inputs) => {
                    let last = inputs.len().saturating_sub(1);
                    let queued = inputs.into_iter().enumerate().map(|(index, input)| Queued::Input {
                        input,
                        ends_file: index == last,
                    });
                    self.queue.extend(queued);
                }
            }
        }
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::input::Conversions;
    use crate::rpc::proto::DataType;

    fn input(dtype: DataType, bytes: usize) -> ModelInput {
        ModelInput {
            name: "x".into(),
            dtype,
            shape: vec![1],
            data: vec![0; bytes],
            conversions: Conversions::default(),
        }
    }

    /// The number of inputs and of ended files of each batch; for what cannot be sent, the reason.
    async fn steps(sources: Vec<ReadSource>, limit: usize, message_bytes: u64) -> Vec<Result<(usize, u64), String>> {
        let limit = BatchLimit::new(limit);
        let mut batcher = InputBatcher::new(InputReader::holding(sources), &limit, message_bytes);
        let mut steps = Vec::new();
        while let Some(step) = batcher.next().await {
            steps.push(match step {
                WorkItem::Send(batch) => Ok((batch.inputs.len(), batch.files)),
                WorkItem::Unreadable(reason) => Err(reason),
            });
        }
        steps
    }

    fn array(inputs: usize, dtype: DataType, bytes: usize) -> ReadSource {
        ReadSource::Inputs((0..inputs).map(|_| input(dtype, bytes)).collect())
    }

    #[tokio::test]
    async fn batches_end_by_count_by_bytes_and_by_type() {
        let five = || vec![array(5, DataType::Uint8, 100)];
        assert_eq!(steps(five(), 2, 10_000).await, [Ok((2, 0)), Ok((2, 0)), Ok((1, 1))]);
        assert_eq!(steps(five(), 9, OVERHEAD_BYTES + 300).await, [Ok((3, 0)), Ok((2, 1))]);
        assert_eq!(steps(five(), 0, 10_000).await.len(), 5);
        let mixed = vec![
            array(1, DataType::Uint8, 1),
            array(1, DataType::Float32, 4),
            array(1, DataType::Float32, 4),
        ];
        assert_eq!(steps(mixed, 9, 10_000).await, [Ok((1, 1)), Ok((2, 2))]);
        assert_eq!(steps(vec![], 9, 10_000).await, []);
    }

    #[tokio::test]
    async fn a_failure_keeps_its_place() {
        let sources = vec![
            array(1, DataType::Uint8, 1),
            ReadSource::Failed("b.png: no such file".into()),
            array(2, DataType::Uint8, 1),
        ];
        assert_eq!(
            steps(sources, 9, 10_000).await,
            [Ok((1, 1)), Err("b.png: no such file".into()), Ok((2, 1))]
        );
    }

    #[tokio::test]
    async fn one_input_too_large_does_not_stop_the_others() {
        let sources = vec![
            array(1, DataType::Uint8, 10),
            array(1, DataType::Uint8, 2000),
            array(1, DataType::Uint8, 10),
        ];
        let steps = steps(sources, 9, 2000).await;
        assert!(
            matches!(steps.as_slice(), [Ok((1, 1)), Err(reason), Ok((1, 1))] if reason.contains("2000 bytes")),
            "{steps:?}"
        );
    }

    #[tokio::test]
    async fn a_lower_limit_applies_to_the_next_batch() {
        let limit = BatchLimit::new(4);
        let mut batcher = InputBatcher::new(InputReader::holding(vec![array(6, DataType::Uint8, 1)]), &limit, 10_000);
        assert!(matches!(batcher.next().await, Some(WorkItem::Send(batch)) if batch.inputs.len() == 4));
        limit.lower_to(1);
        limit.lower_to(3);
        assert!(matches!(batcher.next().await, Some(WorkItem::Send(batch)) if batch.inputs.len() == 1));
    }
}
