//! One run: starts the server, the honest callers, the sampler and the attacks, and collects the
//! report.

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use certimix::rpc::proto::{CertifyRequest, PredictRequest, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use prost::Message as _;

use crate::args::Args;
use crate::attacks::{Attack, AttackMessages, RunningAttack, Target, all_attacks};
use crate::console::print_line;
use crate::honest_load::HonestLoad;
use crate::honest_results::HonestResults;
use crate::inputs::{image_tensor, read_images};
use crate::interference::InterferenceMonitor;
use crate::operator::{Operation, Operator};
use crate::plan::{Cycle, SoakPlan};
use crate::provenance::Provenance;
use crate::report::{AttackSummary, SoakData, SoakReport};
use crate::rules;
use crate::sampler::{SampledServer, Sampler, SharedState};
use crate::server_process::ServerProcess;
use crate::settings_files::{ModelPair, SettingsFiles};

const HONEST_TOKEN: &str = "token-of-the-honest-callers";
const ATTACK_TOKEN: &str = "token-of-the-attacking-callers";
/// The attacks come from this address; the honest callers from 127.0.0.1.
const ATTACK_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
/// The default of `server.max_inputs`.
const LARGE_INPUTS: usize = 64;
/// A deadline that 64 inputs of the bundled pair miss on two idle processors: they take 115 ms.
const LARGE_DEADLINE: Duration = Duration::from_millis(80);
/// The default of `certificate.max_votes`.
const HUGE_BUDGET: u64 = 100_000;
const QUIET: &str = "quiet";
/// The time between two looks at the state of the run.
const TICK: Duration = Duration::from_millis(200);

/// Everything that runs beside the server.
struct Run {
    plan: SoakPlan,
    attacks: Vec<Arc<dyn Attack>>,
    summaries: Vec<AttackSummary>,
    operator: Operator,
    target: Target,
    results: Arc<HonestResults>,
    state: Arc<SharedState>,
    start: Instant,
    bar: ProgressBar,
    operations: u64,
}

/// Runs to the end, or to the end of the server.
pub fn run(args: &Args, root: &Path) -> anyhow::Result<SoakData> {
    let library = root.join(".runtime/onnxruntime/libonnxruntime.so");
    let plan = SoakPlan::new(Duration::from_secs_f64(args.minutes * 60.0));
    let provenance = Provenance::collect(root, &library, false, args.server.as_deref())?;
    print_line(&provenance.line());
    let images = read_images(&root.join("models/cifar10/test_100.png"))?;
    let inputs: Vec<Tensor> = images.iter().map(|image| image_tensor(image)).collect();
    let attacks = selected_attacks(&attack_messages(&images)?, &args.attacks)?;

    let tokens = [HONEST_TOKEN, ATTACK_TOKEN].map(str::to_owned).to_vec();
    let mut operator = Operator::prepare(SettingsFiles::create(root)?, tokens)?;
    let binary = args.server.clone();
    let binary = binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_certimix").into());
    let settings = operator.files().settings();
    let server = ServerProcess::start(&binary, &[OsStr::new("serve"), settings.as_os_str()])?;
    operator.connect_to(server.address);
    let metrics = server.metrics.context("the server has no metrics port")?;

    let monitor = InterferenceMonitor::start()?;
    let results = Arc::new(HonestResults::new()?);
    results.set_phase(QUIET, QUIET)?;
    let honest = HonestLoad::start(server.address, HONEST_TOKEN, inputs, &results)?;
    let (state, start) = (Arc::new(SharedState::default()), Instant::now());
    let sampled = SampledServer {
        pid: server.pid(),
        metrics,
        interval: plan.sample_interval,
        settle: plan.cycle(1, &mut fastrand::Rng::new()).quiet_time / 2,
        memory_limit_mib: args.memory_limit,
    };
    let sampler = Sampler::start(sampled, Arc::clone(&state), Arc::clone(&results), start)?;
    let mut run = Run {
        plan,
        summaries: attacks.iter().map(|attack| named_summary(attack.name())).collect(),
        attacks,
        operator,
        target: Target {
            grpc: server.address,
            metrics,
            source: ATTACK_SOURCE,
            token: None,
        },
        results,
        state,
        start,
        bar: progress_bar(plan.total),
        operations: 0,
    };
    let (cycles, ended_early) = run.run_cycles(args.seed)?;
    run.bar.finish_and_clear();
    let samples = sampler.stop()?;
    let ended_early = ended_early.or_else(|| run.state.fatal());
    let honest_end = honest.stop();
    let mut report = SoakReport {
        provenance,
        interference: monitor.finish()?,
        minutes: args.minutes,
        cycles,
        seed: args.seed,
        findings: Vec::new(),
        honest: run.results.totals(),
        attacks: run.summaries,
        operations: run.operator.summary,
        probes: samples.probes,
        server: samples.totals,
        ended_early,
    };
    // A server that has ended fails its callers too; the report says so already.
    if report.ended_early.is_none() {
        honest_end?;
    }
    report.findings = rules::judge(&report, &samples.samples);
    Ok(SoakData {
        report,
        samples: samples.samples,
    })
}

impl Run {
    /// Returns the completed cycles, and why the run ended before its time.
    fn run_cycles(&mut self, seed: u64) -> anyhow::Result<(u32, Option<String>)> {
        let mut random = fastrand::Rng::with_seed(seed);
        self.measure_start(&self.plan.cycle(1, &mut fastrand::Rng::new()))?;
        let mut completed = 0;
        while self.start.elapsed() + self.plan.cycle / 2 < self.plan.total {
            let cycle = self.plan.cycle(self.attacks.len(), &mut random);
            // In every second cycle the attacks have a token.
            self.target.token = (completed % 2 == 1).then(|| ATTACK_TOKEN.to_owned());
            if let Some(reason) = self.run_cycle(&cycle, completed + 1)? {
                return Ok((completed, Some(reason)));
            }
            completed += 1;
        }
        Ok((completed, None))
    }

    /// The quiet phase that the others are compared with. The other models are loaded once before it,
    /// so that what they leave behind is not taken for growth.
    fn measure_start(&mut self, cycle: &Cycle) -> anyhow::Result<()> {
        self.operator.swap_models(ModelPair::SmoothedTiny)?;
        self.rest(0, cycle.quiet_time)
    }

    /// Serves the usual models to honest callers alone.
    fn rest(&mut self, cycle: u32, time: Duration) -> anyhow::Result<()> {
        self.operator.swap_models(ModelPair::Lipschitz)?;
        self.results.set_phase(QUIET, QUIET)?;
        self.state.set_phase(cycle, Some(Instant::now()));
        self.wait_until(Instant::now() + time, QUIET);
        Ok(())
    }

    fn run_cycle(&mut self, cycle: &Cycle, number: u32) -> anyhow::Result<Option<String>> {
        self.state.set_phase(number, None);
        let swapped = cycle.slots.len() / 3..cycle.slots.len() / 3 + 2;
        for (slot, attacks) in cycle.slots.iter().enumerate() {
            // A change of the operator that takes longer than its slot makes the cycle longer.
            self.run_slot(attacks, swapped.contains(&slot), Instant::now() + cycle.slot_time)?;
            if let Some(reason) = self.state.fatal() {
                return Ok(Some(reason));
            }
        }
        self.rest(number, cycle.quiet_time)?;
        Ok(self.state.fatal())
    }

    /// Runs attacks to `end`, with one change of the operator meanwhile.
    fn run_slot(&mut self, attacks: &[usize], swapped: bool, end: Instant) -> anyhow::Result<()> {
        let chosen: Vec<(usize, Arc<dyn Attack>)> = attacks
            .iter()
            .filter_map(|&index| Some((index, Arc::clone(self.attacks.get(index)?))))
            .collect();
        let names: Vec<&str> = chosen.iter().map(|(_, attack)| attack.name()).collect();
        let beside = names.join(" + ");
        let (pair, group) = match (swapped, names.as_slice()) {
            (true, _) => (ModelPair::SmoothedTiny, "any attack, on the tiny models"),
            (false, [name]) => (ModelPair::Lipschitz, *name),
            (false, _) => (ModelPair::Lipschitz, "two attacks"),
        };
        self.results.set_phase(group, &beside)?;
        let mut running = Vec::new();
        for (index, attack) in chosen {
            running.push((index, RunningAttack::start(attack, self.target.clone())?));
        }
        self.bar.set_message(beside.clone());
        self.operator.swap_models(pair)?;
        let operation = Operation::of_turn(self.operations);
        self.operations += 1;
        self.operator.operate(operation)?;
        self.wait_until(end, &beside);
        for (index, attack) in running {
            let counts = attack.stop();
            if let Some(summary) = self.summaries.get_mut(index) {
                summary.runs += 1;
                summary.connections += counts.connections;
                summary.sent += counts.sent;
                summary.refused += counts.refused;
            }
        }
        Ok(())
    }

    fn wait_until(&self, end: Instant, step: &str) {
        self.show(step);
        while Instant::now() < end && self.state.fatal().is_none() {
            std::thread::sleep(TICK.min(end.saturating_duration_since(Instant::now())));
            self.bar.set_position(self.start.elapsed().as_secs());
        }
    }

    fn show(&self, step: &str) {
        self.bar.set_message(step.to_owned());
        if self.bar.is_hidden() {
            let elapsed = self.start.elapsed().as_secs();
            print_line(&format!("{elapsed:>5} of {} s: {step}", self.plan.total.as_secs()));
        }
    }
}

fn attack_messages(images: &[Vec<u8>]) -> anyhow::Result<AttackMessages> {
    let first = image_tensor(images.first().context("no images")?);
    let many: Vec<u8> = images.iter().cycle().take(LARGE_INPUTS).flatten().copied().collect();
    let mut large = image_tensor(&many);
    large.shape = vec![i64::try_from(LARGE_INPUTS)?, 3, 32, 32];
    let predict = |inputs| PredictRequest {
        inputs: Some(inputs),
        ..Default::default()
    };
    let certify = CertifyRequest {
        inputs: Some(first.clone()),
        vote_budget: Some(HUGE_BUDGET),
        ..Default::default()
    };
    Ok(AttackMessages {
        predict: predict(first).encode_to_vec(),
        large_predict: predict(large).encode_to_vec(),
        large_predict_deadline: LARGE_DEADLINE,
        certify: certify.encode_to_vec(),
    })
}

/// The attacks whose names contain one of `parts`; all without parts, none for `none`.
fn selected_attacks(messages: &AttackMessages, parts: &[String]) -> anyhow::Result<Vec<Arc<dyn Attack>>> {
    let mut attacks = all_attacks(messages);
    if let [only] = parts
        && only == "none"
    {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = attacks.iter().map(|attack| attack.name()).collect();
    for part in parts {
        ensure!(
            names.iter().any(|name| name.contains(part.as_str())),
            "--attacks: no attack is named {part:?}; the attacks are {}",
            names.join(", ")
        );
    }
    attacks.retain(|attack| parts.is_empty() || parts.iter().any(|part| attack.name().contains(part.as_str())));
    Ok(attacks)
}

fn named_summary(name: &str) -> AttackSummary {
    AttackSummary {
        name: name.to_owned(),
        ..AttackSummary::default()
    }
}

fn progress_bar(total: Duration) -> ProgressBar {
    let bar = ProgressBar::new(total.as_secs());
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:24} {percent:>3} % {eta:>8} left  {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_secs(1));
    bar
}
