//! The images of inputs, from the data set of the records.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::bail;

use crate::cli::output;
use crate::evaluation::report::{ReportData, png_data_uri};
use crate::evaluation::{DataSet, DataSetEntry, DataSetOptions, EvaluationHeader};

/// Adds the image of each disagreement that the report shows, from the data set at `path`. Inputs that
/// are no images stay without one.
///
/// # Errors
/// When the data set cannot be read, or is not the one of the records.
pub(super) fn add_images(data: &mut ReportData, path: &Path, header: &EvaluationHeader) -> anyhow::Result<()> {
    let options = DataSetOptions {
        resize: true,
        ..DataSetOptions::default()
    };
    let data_set = DataSet::open(path, options, &header.input, &header.labels)?;
    let found = data_set.digest(|_| {})?;
    // The digest of a file of labels follows that of the inputs.
    let expected = header.data_set.sha256.split('+').next().unwrap_or_default();
    if found != expected {
        bail!(
            "--data {}: its SHA-256 is {found}, expected {expected}, that of {}, which the records are about",
            path.display(),
            header.data_set.name
        );
    }
    let mut wanted: HashMap<String, Vec<&mut Option<String>>> = HashMap::new();
    let groups = data.disagreements.iter_mut().flat_map(|found| &mut found.groups);
    for shown in groups.flat_map(|group| &mut group.shown) {
        wanted.entry(shown.id.clone()).or_default().push(&mut shown.image);
    }
    data_set.read(0, |entry| {
        if let DataSetEntry::Input(input) = entry
            && let Some(places) = wanted.remove(&input.id)
        {
            let image = png_data_uri(&input.input, &header.input);
            places.into_iter().for_each(|place| place.clone_from(&image));
        }
        if wanted.is_empty() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    if !wanted.is_empty() {
        output::note(format_args!("{} inputs are not in {}", wanted.len(), path.display()));
    }
    Ok(())
}
