//! Finds the records of the given input, and checks that the settings name their model.

use anyhow::bail;

use crate::cli::client::{self, ModelInput, PredictionRecord};
use crate::domain;
use crate::onnx::Manifest;

/// The given input file as inputs of the model in `manifest`.
pub(super) fn read_inputs(
    path: &std::path::Path,
    manifest: &Manifest,
    resize: bool,
) -> anyhow::Result<Vec<ModelInput>> {
    let spec = client::AcceptedInput {
        shape: manifest.input.shape.clone(),
        accepts_uint8: manifest.input.accepts_uint8(),
        low: manifest.input.low,
        high: manifest.input.high,
    };
    client::read_file(path, &spec, resize)
}

/// Pairs each record with the input of the same SHA-256. Records of other inputs are left out.
///
/// # Errors
/// When no record is about any of the inputs.
pub(super) fn match_inputs(
    records: Vec<PredictionRecord>,
    inputs: &[ModelInput],
) -> anyhow::Result<Vec<(PredictionRecord, ModelInput)>> {
    let claimed: Vec<String> = records.iter().map(|record| record.input_sha256.clone()).collect();
    let pair = |record: PredictionRecord| {
        let input = inputs.iter().find(|input| input.sha256() == record.input_sha256)?;
        Some((record, input.clone()))
    };
    let pairs: Vec<_> = records.into_iter().filter_map(pair).collect();
    if pairs.is_empty() {
        let found: Vec<String> = inputs.iter().map(ModelInput::sha256).collect();
        bail!(
            "the input does not belong to this certificate: its values have the SHA-256 {}, expected {}",
            abbreviate(&found),
            abbreviate(&claimed)
        );
    }
    Ok(pairs)
}

/// The first hash, and the number of further ones.
fn abbreviate(hashes: &[String]) -> String {
    match hashes {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// Checks that the settings name the model and the noise of the record.
pub(super) fn check_model(record: &PredictionRecord, manifest: &Manifest) -> anyhow::Result<()> {
    let claimed = &record.provenance.robust_model_sha256;
    if *claimed != manifest.sha256 {
        bail!(
            "models.robust: the certificate is about the robust model {claimed}, but the settings name {} ({})",
            manifest.sha256,
            manifest.path.display()
        );
    }
    if let domain::ModelGuarantee::GaussianSmoothing { sigma, .. } = manifest.guarantee
        && sigma.to_bits() != record.certificate.sigma.to_bits()
    {
        bail!(
            "sigma is {} in the certificate, but {sigma} in the manifest of the robust model",
            record.certificate.sigma
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::test_records::certified_record;
    use crate::cli::client::Conversions;
    use crate::rpc::proto::DataType;

    fn input(value: u8) -> ModelInput {
        ModelInput {
            name: "x".into(),
            dtype: DataType::Uint8,
            shape: vec![1],
            data: vec![value],
            conversions: Conversions::default(),
        }
    }

    #[test]
    fn only_records_of_the_given_inputs_are_kept() -> anyhow::Result<()> {
        let record = |input: &ModelInput| PredictionRecord {
            input_sha256: input.sha256(),
            ..certified_record()
        };
        let records = vec![record(&input(1)), record(&input(2)), record(&input(1))];
        let pairs = match_inputs(records.clone(), &[input(0), input(1)])?;
        assert_eq!(pairs, [(record(&input(1)), input(1)), (record(&input(1)), input(1))]);
        let error = match_inputs(records, &[input(0)]).unwrap_err().to_string();
        assert!(
            error.contains(&input(0).sha256()) && error.contains("and 2 more"),
            "{error}"
        );
        Ok(())
    }
}
