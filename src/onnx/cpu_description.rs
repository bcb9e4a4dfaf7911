//! What kind of processor computes: two kinds may round an answer differently.

use std::sync::OnceLock;

/// Sets of instructions by which ONNX Runtime chooses its kernels, the newest first.
const SETS: [&str; 8] = [
    "amx_int8",
    "avx512_vnni",
    "avx512f",
    "avx_vnni",
    "avx2",
    "avx",
    // On ARM.
    "sve",
    "asimd",
];

/// The processor's model and its instructions, such as "AMD EPYC 9V74 (avx512_vnni avx512f avx2 avx)"; "unknown" where the
/// operating system does not tell. Read once.
#[must_use]
pub fn processor() -> &'static str {
    static PROCESSOR: OnceLock<String> = OnceLock::new();
    PROCESSOR.get_or_init(|| describe(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()))
}

/// Reads the first processor of the text of `/proc/cpuinfo`.
fn describe(cpuinfo: &str) -> String {
    let field = |names: &[&str]| {
        let pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let mut named = pairs.filter(|(name, _)| names.contains(&name.trim()));
        named.next().map(|(_, value)| value.trim())
    };
    let flags: Vec<&str> = field(&["flags", "Features"])
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let sets: Vec<&str> = SETS.into_iter().filter(|set| flags.contains(set)).collect();
    match (field(&["model name", "Processor", "CPU part"]), sets.as_slice()) {
        (None, []) => "unknown".to_owned(),
        (Some(model), []) => model.to_owned(),
        (model, sets) => format!("{} ({})", model.unwrap_or("unknown"), sets.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn a_processor_is_its_model_and_its_instructions() {
        let intel = "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Intel(R) Xeon(R) 8481C\nflags\t\t: fpu avx avx2 avx512f\n\
                     processor\t: 1\nmodel name\t: another\n";
        assert_eq!(describe(intel), "Intel(R) Xeon(R) 8481C (avx512f avx2 avx)");
        let arm = "processor : 0\nFeatures : fp asimd sve\nCPU part : 0xd40\n";
        assert_eq!(describe(arm), "0xd40 (sve asimd)");
        assert_eq!(describe("model name : Old"), "Old");
        assert_eq!(describe(""), "unknown");
    }
}
