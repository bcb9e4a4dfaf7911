//! Reads the inputs ahead of the requests, on a thread of its own.

use tokio::sync::mpsc;

use super::files::{read_file, read_stdin};
use super::model_input::{AcceptedInput, ModelInput};
use super::sources::InputSource;
use crate::cli::output::error_text;

/// The sources that are read ahead. They bound the memory, and hide the time that decoding takes.
const READ_AHEAD: usize = 4;

/// The result of reading one source.
#[derive(Debug)]
pub(in crate::cli::client) enum ReadSource {
    /// Its inputs.
    Inputs(Vec<ModelInput>),
    /// Why it gave none, beginning with its name.
    Failed(String),
}

/// The inputs of all sources, in their order.
pub(in crate::cli::client) struct InputReader {
    received: mpsc::Receiver<ReadSource>,
}

impl InputReader {
    /// Starts to read. The thread ends with the last source, or when the reader is dropped. A thread
    /// that waits for stdin does not delay the end of the process.
    pub(in crate::cli::client) fn start(
        sources: Vec<InputSource>,
        spec: AcceptedInput,
        resize: bool,
    ) -> anyhow::Result<Self> {
        let (sender, received) = mpsc::channel(READ_AHEAD);
        std::thread::Builder::new()
            .name("input-reader".to_owned())
            .spawn(move || {
                for source in sources {
                    if sender.blocking_send(read(source, &spec, resize)).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self { received })
    }

    /// A reader that has read already.
    #[cfg(test)]
    pub(in crate::cli::client) fn holding(sources: Vec<ReadSource>) -> Self {
        let (sender, received) = mpsc::channel(sources.len().max(1));
        for source in sources {
            sender.try_send(source).unwrap();
        }
        Self { received }
    }

    /// The result of the next source; `None` after the last.
    pub(in crate::cli::client) async fn next(&mut self) -> Option<ReadSource> {
        self.received.recv().await
    }
}

fn read(source: InputSource, spec: &AcceptedInput, resize: bool) -> ReadSource {
    let read = match source {
        InputSource::File(path) => read_file(&path, spec, resize),
        InputSource::Stdin => read_stdin(spec, resize),
        InputSource::Unreadable { name, reason } => return ReadSource::Failed(format!("{name}: {reason}")),
    };
    read.map_or_else(|error| ReadSource::Failed(error_text(&error)), ReadSource::Inputs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_that_fails_does_not_stop_the_next() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let good = folder.path().join("good.bmp");
        image::GrayImage::from_pixel(1, 1, image::Luma([7])).save(&good)?;
        let sources = vec![
            InputSource::File("missing.png".into()),
            InputSource::File(good.clone()),
            InputSource::Unreadable {
                name: "folder".into(),
                reason: "is closed".into(),
            },
        ];
        let mut reader = InputReader::start(sources, AcceptedInput::of_unit_range(&[1, 1, 1]), false)?;
        assert!(matches!(reader.next().await, Some(ReadSource::Failed(text)) if text.starts_with("missing.png: ")));
        assert!(matches!(reader.next().await, Some(ReadSource::Inputs(inputs)) if inputs[0].data == [7]));
        assert!(matches!(reader.next().await, Some(ReadSource::Failed(text)) if text == "folder: is closed"));
        assert!(reader.next().await.is_none());
        Ok(())
    }
}
