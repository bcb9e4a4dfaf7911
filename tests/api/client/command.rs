//! Input files, and runs of the client commands.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Output};

use serde_json::Value;

use crate::support::Setup;
use crate::support::process::{self, ServerProcess};

/// An input of the fixtures with four numbers.
pub const INPUT: [f32; 4] = [0.75, -0.75, -0.75, 0.0];

/// Writes the content of a `.npy` file with inputs of four numbers.
pub fn array(inputs: &[[f32; 4]]) -> Vec<u8> {
    let shape = format!("({}, 4)", inputs.len());
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    let data: Vec<u8> = inputs
        .as_flattened()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), &data].concat()
}

/// Writes an image of one colour, in the format of its extension.
pub fn write_image(path: &Path, width: u32, height: u32, colour: [u8; 3]) -> PathBuf {
    image::RgbImage::from_pixel(width, height, image::Rgb(colour))
        .save(path)
        .unwrap();
    path.to_path_buf()
}

/// A server, and the folder of its settings for input files.
pub struct Server {
    setup: Setup,
    process: ServerProcess,
    address: String,
}

impl Server {
    pub fn start(setup: Setup) -> Self {
        let process = ServerProcess::spawn(&setup.write());
        let address = process.address().to_string();
        Self {
            setup,
            process,
            address,
        }
    }

    /// Writes a file into the folder, and returns its path.
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        self.setup.file(name, content).to_str().unwrap().to_owned()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.setup.folder()
    }

    /// The arguments with the address of the server.
    pub fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [arguments, &["--address", &self.address]].concat()
    }

    /// Runs a command against the server.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[], b"")
    }

    /// Runs a command with environment variables and an input from stdin.
    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)], stdin: &[u8]) -> Run {
        Run::of(process::run_with_stdin(&self.arguments(arguments), variables, stdin))
    }

    /// Starts a command that prints JSON lines, and waits for the first.
    pub fn start_run(&self, arguments: &[&str]) -> Running {
        let mut child = process::spawn(&self.arguments(arguments));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        assert!(first.starts_with('{'), "{first}");
        Running { child, stdout, first }
    }

    /// Stops the server, with the requests in flight.
    pub fn kill(&self) {
        self.process.signal("KILL");
    }
}

/// A command that has printed its first line.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    first: String,
}

impl Running {
    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        process::signal(&self.child, "INT");
    }

    /// Waits for the end.
    pub fn finish(self) -> Run {
        let Self {
            child,
            mut stdout,
            first,
        } = self;
        let rest = std::thread::spawn(move || {
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            rest
        });
        let run = Run::of(process::output(child));
        Run {
            stdout: first + &rest.join().unwrap(),
            ..run
        }
    }
}

/// The output of a command, and its exit code.
#[derive(Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Run {
    pub fn of(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code(),
        }
    }

    /// The JSON lines on stdout.
    pub fn records(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The file of each JSON line, without its directory.
    pub fn files(&self) -> Vec<String> {
        let name = |record: &Value| record["file"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        self.records().iter().map(name).collect()
    }
}
