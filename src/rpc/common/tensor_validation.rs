//! A tensor, whichever protocol carries it, checked against what the model takes: the one place that does.

use bytes::Bytes;

use crate::domain::{Input, InputSpec, ValueEncoding, Violations};

/// A part of a tensor, for which each protocol has a name of its own.
#[derive(Debug, Clone, Copy)]
pub(in crate::rpc) enum Part {
    Type,
    Shape,
    Data,
}

/// How a protocol calls what is wrong.
pub(in crate::rpc) struct Names<'a> {
    /// The field of each part. Called for what is wrong alone.
    pub(in crate::rpc) field: &'a dyn Fn(Part) -> String,
    /// The protocol's word for floats of four bytes.
    pub(in crate::rpc) float32: &'static str,
    /// Whether the caller counts bytes, or else values.
    pub(in crate::rpc) in_bytes: bool,
}

/// What a tensor holds, as its type and shape say.
#[derive(Debug, Clone, Copy)]
pub(in crate::rpc) struct Layout {
    written_as: ValueEncoding,
    count: usize,
}

/// Checks type and shape. `written_as` is the type, or what stands in its place. Nothing is returned if either is wrong.
pub(in crate::rpc) fn layout(
    written_as: Result<ValueEncoding, String>,
    shape: &[i64],
    (spec, max_inputs): (&InputSpec, usize),
    names: &Names<'_>,
    wrong: &mut Violations,
) -> Option<Layout> {
    let written_as = written_as_taken(written_as, spec, names, wrong);
    let count = count(shape, spec, max_inputs, names, wrong);
    Some(Layout {
        written_as: written_as?,
        count: count?,
    })
}

/// Takes the inputs out of `data`, which stays where it is.
///
/// # Errors
/// If there are more or fewer values than `layout` has, or some are not the model's.
pub(in crate::rpc) fn inputs(
    layout: Layout,
    data: &Bytes,
    spec: &InputSpec,
    names: &Names<'_>,
) -> Result<Vec<Input>, Violations> {
    let Layout { written_as, count } = layout;
    let width = written_as.width();
    // At most 2^16 inputs of at most 2^24 values of at most 4 bytes: no overflow.
    let each = spec.dimension() * width;
    let expected = count * each;
    let found = data.len();
    if found != expected {
        let mut wrong = Violations::default();
        let shape = shown(spec);
        let message = if names.in_bytes {
            format!("expected {expected} bytes: {width} for each value of the shape [{count}, {shape}]; found {found}")
        } else {
            let (expected, found) = (expected / width, found / width);
            format!("expected {expected} values, for the shape [{count}, {shape}]; found {found}")
        };
        wrong.add((names.field)(Part::Data), message);
        return Err(wrong);
    }
    if written_as == ValueEncoding::Float32 {
        check_floats(data, spec, names)?;
    }
    let input = |index: usize| Input::new(data.slice(index * each..(index + 1) * each), written_as);
    Ok((0..count).map(input).collect())
}

fn written_as_taken(
    found: Result<ValueEncoding, String>,
    spec: &InputSpec,
    names: &Names<'_>,
    wrong: &mut Violations,
) -> Option<ValueEncoding> {
    let float32 = names.float32;
    let message = match found {
        Ok(ValueEncoding::UInt8) if !spec.accepts_uint8() => format!(
            "expected {float32}: this model's values go from {} to {}, and UINT8 means 0 to 1 in steps of 1/255",
            spec.low, spec.high
        ),
        Ok(values) => return Some(values),
        Err(found) => format!("expected UINT8 or {float32}, found {found}"),
    };
    wrong.add((names.field)(Part::Type), message);
    None
}

/// N, if the shape is `[N, …]` as the model takes it.
fn count(
    shape: &[i64],
    spec: &InputSpec,
    max_inputs: usize,
    names: &Names<'_>,
    wrong: &mut Violations,
) -> Option<usize> {
    let same = |(&found, &wanted): (&i64, &usize)| usize::try_from(found) == Ok(wanted);
    let fitting = shape
        .split_first()
        .filter(|(_, rest)| rest.len() == spec.shape.len() && rest.iter().zip(&spec.shape).all(same));
    let Some((&first, _)) = fitting else {
        let message = format!("expected [N, {}], found {}", shown(spec), short(shape));
        wrong.add((names.field)(Part::Shape), message);
        return None;
    };
    let count = usize::try_from(first).ok();
    let count = count.filter(|count| (1..=max_inputs).contains(count));
    if count.is_none() {
        let shape = shown(spec);
        let message = format!("expected [N, {shape}] with N from 1 to {max_inputs}, found N = {first}");
        wrong.add((names.field)(Part::Shape), message);
    }
    count
}

/// The shape of one input, without brackets.
fn shown(spec: &InputSpec) -> String {
    let lengths: Vec<String> = spec.shape.iter().map(usize::to_string).collect();
    lengths.join(", ")
}

/// A shape may be as long as a message: only its beginning is worth showing.
fn short(shape: &[i64]) -> String {
    match shape.get(..8) {
        Some(beginning) if shape.len() > 8 => format!("{beginning:?}… of {} axes", shape.len()),
        _ => format!("{shape:?}"),
    }
}

/// Whether all are numbers within the model's range.
fn check_floats(data: &[u8], spec: &InputSpec, names: &Names<'_>) -> Result<(), Violations> {
    let values = || data.as_chunks::<4>().0.iter().map(|&word| f32::from_le_bytes(word));
    let fits = |value: f32| value.is_finite() && (spec.low..=spec.high).contains(&f64::from(value));
    // A pass without branches for the many that are right; a slower one for those that are not.
    if values().fold(true, |all, value| all & fits(value)) {
        return Ok(());
    }
    let misfits = values().filter(|&value| !fits(value)).count();
    let mut wrong = Violations::default();
    if let Some((index, value)) = values().enumerate().find(|&(_, value)| !fits(value)) {
        let (low, high) = (spec.low, spec.high);
        wrong.add(
            (names.field)(Part::Data),
            format!(
                "expected finite values from {low} to {high}; {misfits} are not, the first is {value} at index {index}"
            ),
        );
    }
    wrong.into_result()
}
