//! A change of the configuration: by an edited file, by a ConfigMap's symlink, by SIGHUP.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use certimix::rpc::proto::{ConfigStatus, GetModelInfoRequest, GetModelInfoResponse};

use super::support::process::Served;
use super::support::server::{Client, PATIENCE};
use super::support::{Setup, fixture, truth, wire};
