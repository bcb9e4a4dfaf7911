//! The bucket bounds of the histograms. They are fixed, so the number of series is bounded.

/// Seconds, from 50 us to a minute.
pub(super) const LATENCY: &[f64] = &[
    5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
];

/// Seconds, for stages of a request and runs of small models, from 5 us to a minute.
pub(super) const STAGE: &[f64] = &[
    5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
    30.0, 60.0,
];

/// Rows, up to the largest batch size that the settings permit.
pub(super) const ROWS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0,
];

/// Radii in the units of the float input. The l-infinity radii of images start below 1/255; the l2
/// radii of smoothed models reach about 4.
pub(super) const RADIUS: &[f64] = &[
    0.001, 0.002, 0.004, 0.008, 0.016, 0.031, 0.0625, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0,
];

/// Differences of probabilities.
pub(super) const MARGIN: &[f64] = &[
    0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0,
];
