//! A smoothed model votes on the grid in its manifest. The server snaps other inputs to the grid
//! and subtracts the distance from the radius.

use certimix::rpc::proto::{Certificate, CertificateStatus, Tensor};

use crate::support::messages::{bytes, certificate, certify_with_votes, floats};
use crate::support::{Setup, TestServer, messages, recompute};

const PIXELS: [u8; 4] = [150, 200, 170, 160];
const STEP: f64 = 1.0 / 255.0;

/// Returns the certificate of the first request of a new server. With the same secret, its noise
/// key is the same.
async fn first_certificate(tensor: Tensor) -> Certificate {
    let server = TestServer::start(Setup::pair("pixels_g", "pixels_h").with("mixture.alpha", 0.9)).await;
    let response = server
        .client()
        .await
        .certify(certify_with_votes(tensor, 2000))
        .await
        .unwrap()
        .into_inner();
    certificate(&response.predictions[0]).clone()
}

fn values(of: impl Fn(u8) -> f32) -> Tensor {
    floats(&[PIXELS.map(of)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn floats_on_the_grid_get_the_votes_of_their_bytes_and_a_snapping_loss() {
    let of_bytes = first_certificate(bytes(&[1, 4], &PIXELS)).await;
    let of_floats = first_certificate(values(|pixel| f32::from(pixel) / 255.0)).await;
    assert_eq!(of_bytes.status(), CertificateStatus::Certified);
    assert_eq!(of_bytes.snapping_loss, 0.0);
    assert!(of_bytes.radius_sq_levels > 0);
    recompute::assert_certificate(&of_bytes, 0.9);
    // A perturbed input may be half a step off the grid in each of four coordinates. The float32
    // rounding adds to that.
    let loss = of_floats.snapping_loss;
    assert!((STEP..STEP * 1.0001).contains(&loss), "{loss}");
    assert!(of_floats.radius <= of_bytes.radius - loss && of_floats.radius > of_bytes.radius - loss * 1.0001);
    assert!(of_floats.radius_sq_levels < of_bytes.radius_sq_levels);
    recompute::assert_certificate(&of_floats, 0.9);
    let without_loss = Certificate {
        radius: of_bytes.radius,
        radius_sq_levels: of_bytes.radius_sq_levels,
        snapping_loss: 0.0,
        ..of_floats
    };
    assert_eq!(without_loss, of_bytes);
}

/// Each value of a perturbed input lies just over half a step from a level, so snapping moves it
/// away from the original input, which is on the grid. Wherever the perturbed input is within the
/// served radius, its snapped values are still within the proven radius.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_float_within_the_radius_snaps_outside_the_proven_radius() {
    let server = TestServer::start(Setup::pair("pixels_g", "pixels_h").with("mixture.alpha", 0.9)).await;
    let mut client = server.client().await;
    for votes in (400..2000).step_by(200) {
        let request = certify_with_votes(values(|pixel| f32::from(pixel) / 255.0), votes);
        let response = client.certify(request).await.unwrap().into_inner();
        let found = messages::certified(&response.predictions[0]);
        let proven = recompute::proven_radius(found, 0.9).radius;
        // An equal change of four coordinates has twice the length of a change of one.
        let whole_steps = (found.radius / (2.0 * STEP) - 0.5005).floor();
        let moved_to = 2.0 * STEP * (whole_steps + 1.0);
        assert!(moved_to < proven, "{votes} votes: {moved_to} of {proven}, {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn floats_off_the_grid_lose_the_snapping_distance() {
    let on_grid = first_certificate(bytes(&[1, 4], &PIXELS)).await;
    // The input is a third of a step away. It snaps to the same levels, so it gets the same votes.
    let off_grid = first_certificate(values(|pixel| (f32::from(pixel) + 0.33) / 255.0)).await;
    assert_eq!(off_grid.noise_key, on_grid.noise_key);
    assert_eq!(
        (off_grid.votes_for_class, off_grid.votes),
        (on_grid.votes_for_class, on_grid.votes)
    );
    // sqrt(d) steps: half a step for each coordinate here, and half for the perturbed input.
    let loss = 2.0 * STEP;
    assert!(
        off_grid.snapping_loss >= loss && off_grid.snapping_loss < loss * (1.0 + 1e-6),
        "{}",
        off_grid.snapping_loss
    );
    assert!(off_grid.radius <= on_grid.radius - loss && off_grid.radius > on_grid.radius - loss * (1.0 + 1e-6));
    recompute::assert_certificate(&off_grid, 0.9);
}

/// One coordinate off the grid is enough, because the perturbed input may lie off the grid
/// everywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_coordinate_off_the_grid_loses_as_much_as_all() {
    let mut one = PIXELS.map(|pixel| f32::from(pixel) / 255.0);
    one[2] = one[2].next_up();
    let found = first_certificate(floats(&[one])).await;
    assert!(found.snapping_loss >= 2.0 * STEP, "{found:?}");
}

/// Half a step away is the worst case, because both levels are equally near.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_loss_covers_a_value_half_a_step_away() {
    let found = first_certificate(values(|pixel| (f32::from(pixel) + 0.5) / 255.0)).await;
    assert!(found.snapping_loss >= 2.0 * STEP, "{found:?}");
    recompute::assert_certificate(&found, 0.9);
}

/// The served radius reaches the target after the snapping loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_is_reached_after_the_snapping_loss() {
    let server = TestServer::start(Setup::pair("pixels_g", "pixels_h").with("mixture.alpha", 0.9)).await;
    let request = certimix::rpc::proto::CertifyRequest {
        target_radius: Some(0.1),
        ..certify_with_votes(values(|pixel| (f32::from(pixel) + 0.33) / 255.0), 100_000)
    };
    let response = server.client().await.certify(request).await.unwrap().into_inner();
    let found = messages::certified(&response.predictions[0]);
    assert_eq!(found.stop_reason(), certimix::rpc::proto::StopReason::TargetReached);
    assert!(found.radius >= 0.1 - 1e-12 && found.votes < 100_000, "{found:?}");
}
