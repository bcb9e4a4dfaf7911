//! The processor that computes. Processors of different kinds may round a result differently.

use std::sync::OnceLock;

/// The instruction sets by which ONNX Runtime selects its kernels, the newest first.
const INSTRUCTION_SETS: [&str; 8] = [
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

/// Returns the processor's model and its instruction sets, such as "AMD EPYC 9V74 (avx512_vnni
/// avx512f avx2 avx)", or "unknown" if the operating system does not report them. The first call
/// reads them.
#[must_use]
pub fn cpu_description() -> &'static str {
    static DESCRIPTION: OnceLock<String> = OnceLock::new();
    DESCRIPTION.get_or_init(|| describe_cpuinfo(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()))
}

/// Describes the first processor in the text of `/proc/cpuinfo`.
fn describe_cpuinfo(cpuinfo: &str) -> String {
    let field = |names: &[&str]| {
        let pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let mut named = pairs.filter(|(name, _)| names.contains(&name.trim()));
        named.next().map(|(_, value)| value.trim())
    };
    let flags: Vec<&str> = field(&["flags", "Features"])
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let sets: Vec<&str> = INSTRUCTION_SETS.into_iter().filter(|set| flags.contains(set)).collect();
    match (field(&["model name", "Processor", "CPU part"]), sets.as_slice()) {
        (None, []) => "unknown".to_owned(),
        (Some(model), []) => model.to_owned(),
        (model, sets) => format!("{} ({})", model.unwrap_or("unknown"), sets.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::describe_cpuinfo;

    #[test]
    fn the_description_is_the_model_and_its_instruction_sets() {
        let intel = "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Intel(R) Xeon(R) 8481C\nflags\t\t: fpu avx avx2 avx512f\n\
                     processor\t: 1\nmodel name\t: another\n";
        assert_eq!(describe_cpuinfo(intel), "Intel(R) Xeon(R) 8481C (avx512f avx2 avx)");
        let arm = "processor : 0\nFeatures : fp asimd sve\nCPU part : 0xd40\n";
        assert_eq!(describe_cpuinfo(arm), "0xd40 (sve asimd)");
        assert_eq!(describe_cpuinfo("model name : Old"), "Old");
        assert_eq!(describe_cpuinfo(""), "unknown");
    }
}
