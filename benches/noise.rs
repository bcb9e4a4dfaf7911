//! The time of noise generation for one CIFAR-10 row (3072 values, sigma 0.25).
//!
//! The benchmark covers the grid of bytes and the grid of the bundled models, which has 65,535
//! levels. It measures the key stream alone, the table alone, a noisy row from these two one value at a
//! time (`scalar_row`), and then the noise and the noisy row that the server draws, with the vector
//! instructions of the processor.
//! Criterion reports elements per second; 1 Gelem/s is 1 ns per value.
//!
//! `cargo bench --bench noise`

use std::hint::black_box;

use certimix::certificate::noise::{InputGrid, NoiseKey, NoiseStream, NoiseTable, fill_noise, fill_noisy_row};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Values in a 32 x 32 RGB image.
const DIMENSION: usize = 3072;

fn noise(criterion: &mut Criterion) {
    for levels in [255, 65_535] {
        noise_on_grid(criterion, levels);
    }
    let mut group = criterion.benchmark_group("noise_table");
    group.sample_size(10);
    for scale in [63.75, 16383.75, 32768.0] {
        group.bench_function(format!("scale_{scale}"), |bencher| {
            bencher.iter(|| NoiseTable::new(black_box(scale)))
        });
    }
    group.finish();
}

fn noise_on_grid(criterion: &mut Criterion, steps: u32) {
    let Ok(grid) = InputGrid::new(0.0, 1.0, steps) else {
        return;
    };
    let Ok(table) = NoiseTable::new(grid.scale(0.25)) else {
        return;
    };
    let key = NoiseKey::from_bytes([42; 32]);
    let mut bytes = vec![0; DIMENSION * 8];
    NoiseStream::new(&key, 0).fill_bytes(&mut bytes);
    let words: Vec<u64> = bytes
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_le_bytes(*word))
        .collect();
    let levels: Vec<i32> = (0..=255).cycle().take(DIMENSION).collect();
    let mut noise = vec![0; DIMENSION];
    let mut row = vec![0.0; DIMENSION];
    let mut vote = 0;

    let mut group = criterion.benchmark_group(format!("noise_{steps}"));
    group.throughput(Throughput::Elements(DIMENSION as u64));
    group.bench_function("chacha20", |bencher| {
        bencher.iter(|| {
            vote += 1;
            NoiseStream::new(&key, vote).fill_bytes(black_box(&mut bytes));
        });
    });
    group.bench_function("sample", |bencher| {
        bencher.iter(|| {
            for (noise, word) in noise.iter_mut().zip(black_box(&words)) {
                *noise = table.sample(*word);
            }
            black_box(&mut noise);
        });
    });
    group.bench_function("scalar_row", |bencher| {
        let mut chunk = [0_u8; 4096];
        bencher.iter(|| {
            vote += 1;
            let mut stream = NoiseStream::new(&key, vote);
            let chunks = black_box(&levels).chunks(512).zip(row.chunks_mut(512));
            for (levels, row) in chunks {
                stream.fill_bytes(&mut chunk);
                let words = chunk.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
                for ((value, level), word) in row.iter_mut().zip(levels).zip(words) {
                    *value = grid.to_value(level + table.sample(word));
                }
            }
            black_box(&mut row);
        });
    });
    group.bench_function("noise", |bencher| {
        bencher.iter(|| {
            vote += 1;
            fill_noise(&table, &key, vote, black_box(&mut noise));
        });
    });
    group.bench_function("row", |bencher| {
        bencher.iter(|| {
            vote += 1;
            fill_noisy_row(&table, &grid, &key, vote, black_box(&levels), black_box(&mut row))
        });
    });
    group.finish();
}

criterion_group!(benches, noise);
criterion_main!(benches);
