//! The guarantee of the robust model: stated by flags, asked, proved, or none. It is never invented.

use anyhow::{Context as _, anyhow, bail};

use super::arguments::{ConstantOf, GuaranteeArgs, GuaranteeChoice};
use super::prover::{prove, shown_command};
use super::questions::{Offer, Questions};
use crate::cli::output;
use crate::domain::Norm;
use crate::onnx::OutputKind;

/// The radius in the units of the input above which its loss to rounding is worth a note.
const WORTH_FLOAT64: f64 = 1e-3;

/// What is guaranteed about the robust model.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Guarantee {
    /// Nothing.
    None,
    /// The server adds Gaussian noise.
    Smoothing { sigma: f64, levels: u32 },
    /// The logits are Lipschitz.
    Lipschitz {
        norm: Norm,
        constant: f64,
        constant_of: ConstantOf,
        error_bound: f64,
        source: String,
        /// A person stated the numbers, and nothing proves them.
        is_claimed: bool,
    },
}

/// The robust model.
pub(super) struct Subject<'a> {
    pub(super) file: &'a std::path::Path,
    pub(super) kind: OutputKind,
    /// The tensor of the logits behind probabilities, if the graph shows it.
    pub(super) logits: Option<&'a str>,
    /// The shape of one input of the ONNX file.
    pub(super) shape: &'a [usize],
    /// The range of its values.
    pub(super) range: [f64; 2],
}

/// Finds or asks the guarantee. `None`: a flag is missing.
///
/// # Errors
/// If the guarantee does not fit the model, the prover fails, or the terminal cannot be read.
pub(super) fn guarantee(
    questions: &mut Questions,
    args: &GuaranteeArgs,
    subject: &Subject,
) -> anyhow::Result<Option<Guarantee>> {
    loop {
        let choice = match args.choice() {
            Some(choice) => choice,
            None => ask_choice(questions)?,
        };
        let result = match choice {
            GuaranteeChoice::None => return Ok(Some(Guarantee::None)),
            GuaranteeChoice::Smooth => smoothing(questions, args),
            GuaranteeChoice::Prove => proved(args, subject).map(Some),
            GuaranteeChoice::State => stated(questions, args, subject),
        };
        // A person may choose another guarantee. A flag stands.
        match result {
            Err(error)
                if questions.is_interactive() && args.choice().is_none() && !error.is::<output::SilentExit>() =>
            {
                output::note(output::error_text(&error));
            }
            result => return result,
        }
    }
}

fn ask_choice(questions: &mut Questions) -> anyhow::Result<GuaranteeChoice> {
    let options = [
        (
            GuaranteeChoice::None,
            "none: no certificates until the manifest states a guarantee",
        ),
        (
            GuaranteeChoice::Smooth,
            "smooth: the server adds Gaussian noise; for any classifier",
        ),
        (
            GuaranteeChoice::Prove,
            "prove: a network that is Lipschitz by construction; the prover runs now",
        ),
        (
            GuaranteeChoice::State,
            "state: a Lipschitz constant that you vouch for, marked as claimed",
        ),
    ];
    let texts = options.map(|(_, text)| text.to_owned());
    let prompt = "what is guaranteed about the robust model";
    let index = questions.choice("--guarantee", prompt, &texts, Offer::Certain(0))?;
    let chosen = index.and_then(|index| options.get(index));
    Ok(chosen.map_or(GuaranteeChoice::None, |(choice, _)| *choice))
}

fn positive(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.trim().parse().ok();
    number
        .filter(|number| (1e-30..=1e30).contains(number))
        .ok_or_else(|| "expected a number above 0".to_owned())
}

fn smoothing(questions: &mut Questions, args: &GuaranteeArgs) -> anyhow::Result<Option<Guarantee>> {
    let prompt = "sigma, the standard deviation of the noise that the model was trained with";
    let sigma = match args.sigma {
        Some(sigma) => Some(sigma),
        None => questions.text("--sigma", prompt, Offer::Nothing, positive)?,
    };
    let levels = args.levels;
    Ok(sigma.map(|sigma| Guarantee::Smoothing { sigma, levels }))
}

/// Explains why probabilities have no Lipschitz constant of logits, and how to export the logits.
fn require_logits(subject: &Subject) -> anyhow::Result<()> {
    if subject.kind == OutputKind::Logits {
        return Ok(());
    }
    let advice = match subject.logits {
        Some(logits) => format!(
            "its softmax reads the tensor \"{logits}\": expose that tensor with\n  python3 -c \"import onnx; m = \
             onnx.load('{file}'); m.graph.output.append(onnx.helper.make_empty_tensor_value_info('{logits}')); \
             onnx.save(onnx.shape_inference.infer_shapes(m), 'logits.onnx')\"\n  and pass --robust logits.onnx \
             --robust-output {logits}",
            file = subject.file.display()
        ),
        None => "export it without the softmax at its end".to_owned(),
    };
    bail!(
        "a Lipschitz constant of the logits needs a model that returns logits, and {} returns probabilities: {advice}",
        subject.file.display()
    )
}

fn proved(args: &GuaranteeArgs, subject: &Subject) -> anyhow::Result<Guarantee> {
    require_logits(subject)?;
    let proof = prove(&args.python, subject.file, subject.shape, subject.range).with_context(|| {
        format!(
            "nothing is proved about {}\n  to run the prover yourself, in a checkout of the repository: {}\n  a network that \
             is not Lipschitz by construction can be smoothed: --sigma",
            subject.file.display(),
            shown_command(subject.file, subject.range)
        )
    })?;
    let lost = 4.0 * proof.logit_error_bound / (std::f64::consts::SQRT_2 * proof.constant);
    if lost > WORTH_FLOAT64 {
        output::note(format_args!(
            "rounding takes {lost:.2} off each radius; `python3 -m certimix_models rewrite-float64 {} NEW.onnx` makes that \
             negligible, for about three times the time of an inference",
            subject.file.display()
        ));
    }
    Ok(Guarantee::Lipschitz {
        norm: Norm::L2,
        constant: proof.constant,
        constant_of: ConstantOf::LogitVector,
        error_bound: proof.logit_error_bound,
        source: "both numbers are proved by `certimix_models prove` from the ONNX file".to_owned(),
        is_claimed: false,
    })
}

fn stated(questions: &mut Questions, args: &GuaranteeArgs, subject: &Subject) -> anyhow::Result<Option<Guarantee>> {
    require_logits(subject)?;
    let constant = match args.constant {
        Some(constant) => Some(constant),
        None => questions.text(
            "--constant",
            "the Lipschitz constant of the logits, per unit of the range",
            Offer::Nothing,
            positive,
        )?,
    };
    let bound = |text: &str| match text.trim().parse::<f64>() {
        Ok(bound) if (0.0..=1e6).contains(&bound) => Ok(bound),
        _ => Err("expected a number from 0 to 1e6".to_owned()),
    };
    let error_bound = match args.logit_error_bound {
        Some(bound) => Some(bound),
        None => questions.text(
            "--logit-error-bound",
            "a bound on the rounding error of each logit, for every input in the range; one that was measured is none",
            Offer::Nothing,
            bound,
        )?,
    };
    let (Some(constant), Some(error_bound)) = (constant, error_bound) else {
        return Ok(None);
    };
    let norm = Norm::from(args.norm);
    if args.constant_of == ConstantOf::LogitVector && norm != Norm::L2 {
        return Err(anyhow!(
            "--norm {norm}: the constant of the whole vector of logits is one in l2; pass --constant-of each-logit"
        ));
    }
    Ok(Some(Guarantee::Lipschitz {
        norm,
        constant,
        constant_of: args.constant_of,
        error_bound,
        source: args
            .source
            .clone()
            .unwrap_or_else(|| "stated to `certimix init`, without a proof".to_owned()),
        is_claimed: true,
    }))
}
