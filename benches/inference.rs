//! The time of one batch of the bundled smoothed model on one session, and of the noise of that
//! batch.
//!
//! `make runtime && cargo bench --bench inference`

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use certimix::certificate::noise::{InputGrid, NoiseKey, NoiseTable, fill_noisy_row};
use certimix::onnx::{Backend as _, Cancellation, Model, OnnxSession, Runtime};
use certimix::settings::Provider;
use criterion::{Criterion, criterion_group, criterion_main};

const BATCH: usize = 16;
const DIMENSION: usize = 3072;

fn batch(criterion: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let session = Runtime::load(&root.join(".runtime/onnxruntime/libonnxruntime.so"))
        .and_then(|runtime| {
            let manifest = root.join("models/cifar10/smoothed-025.toml");
            Model::load(&runtime, &manifest, Provider::Cpu)
        })
        .and_then(|model| OnnxSession::open(&Arc::new(model), BATCH));
    let (Ok(mut session), Ok(grid), Ok(table)) = (session, InputGrid::new(0.0, 1.0, 65_535), NoiseTable::new(16383.75))
    else {
        return;
    };
    let (levels, key) = ([128 * 257; DIMENSION], NoiseKey::from_bytes([7; 32]));
    let mut rows = vec![0.0; BATCH * DIMENSION];
    criterion.bench_function("noise of 16 rows", |bencher| {
        bencher.iter(|| {
            for (vote, row) in (0..).zip(rows.chunks_exact_mut(DIMENSION)) {
                let filled = fill_noisy_row(&table, &grid, &key, vote, black_box(&levels), row);
                assert!(filled.is_ok());
            }
        });
    });
    let (mut output, cancellation) = (Vec::new(), Cancellation::new(1));
    criterion.bench_function("inference of 16 rows", |bencher| {
        bencher.iter(|| {
            let ran = session.run(BATCH, black_box(&rows), &mut output, &cancellation);
            assert!(ran.is_ok());
        });
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(20); targets = batch }
criterion_main!(benches);
