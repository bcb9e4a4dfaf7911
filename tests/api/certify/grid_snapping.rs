//! A smoothed model votes on the grid that its manifest declares: what lies beside it is moved, and pays for it.

use certimix::rpc::proto::{Certificate, CertificateStatus, Tensor};

use crate::support::messages::{bytes, certificate, certify_with_votes, floats};
use crate::support::{Setup, TestServer, messages, recompute};

const PIXELS: [u8; 4] = [150, 200, 170, 160];
const STEP: f64 = 1.0 / 255.0;

/// The first request of a fresh server: with the same secret, the same key.
async fn first_answer(tensor: Tensor) -> Certificate {
    let server = TestServer::start(Setup::pair("pixels_g", "pixels_h").with("mixture.alpha", 0.9)).await;
    let answer = server
        .client()
        .await
        .certify(certify_with_votes(tensor, 2000))
        .await
        .unwrap()
        .into_inner();
    certificate(&answer.predictions[0]).clone()
}

fn values(of: impl Fn(u8) -> f32) -> Tensor {
    floats(&[PIXELS.map(of)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn floats_on_the_grid_are_the_bytes_they_stand_for_and_pay_for_the_floats_beside_it() {
    let of_bytes = first_answer(bytes(&[1, 4], &PIXELS)).await;
    let of_floats = first_answer(values(|pixel| f32::from(pixel) / 255.0)).await;
    assert_eq!(of_bytes.status(), CertificateStatus::Certified);
    assert_eq!(of_bytes.snapping_loss, 0.0);
    assert!(of_bytes.radius_sq_levels > 0);
    recompute::assert_certificate(&of_bytes, 0.9);
    // Half a step in each of four coordinates, for a perturbed input that lies beside the grid, and the float32 rounding.
    let loss = of_floats.snapping_loss;
    assert!((STEP..STEP * 1.0001).contains(&loss), "{loss}");
    assert!(of_floats.radius <= of_bytes.radius - loss && of_floats.radius > of_bytes.radius - loss * 1.0001);
    assert!(of_floats.radius_sq_levels < of_bytes.radius_sq_levels);
    recompute::assert_certificate(&of_floats, 0.9);
    let but_for_the_loss = Certificate {
        radius: of_bytes.radius,
        radius_sq_levels: of_bytes.radius_sq_levels,
        snapping_loss: 0.0,
        ..of_floats
    };
    assert_eq!(but_for_the_loss, of_bytes);
}

/// x' has every value just over half a step beside a level, and is moved away from x, for an input on the grid: as far
/// as it may be under the served radius, it is still moved inside the proven one.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_float_inside_the_radius_is_moved_out_of_the_proof() {
    let server = TestServer::start(Setup::pair("pixels_g", "pixels_h").with("mixture.alpha", 0.9)).await;
    let mut client = server.client().await;
    for votes in (400..2000).step_by(200) {
        let order = certify_with_votes(values(|pixel| f32::from(pixel) / 255.0), votes);
        let answer = client.certify(order).await.unwrap().into_inner();
        let found = messages::certified(&answer.predictions[0]);
        let proven = recompute::proven_radius(found, 0.9).radius;
        // In four coordinates alike, a distance is twice that in one.
        let whole_steps = (found.radius / (2.0 * STEP) - 0.5005).floor();
        let moved_to = 2.0 * STEP * (whole_steps + 1.0);
        assert!(moved_to < proven, "{votes} votes: {moved_to} of {proven}, {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn floats_beside_the_grid_lose_the_way_to_it() {
    let on_grid = first_answer(bytes(&[1, 4], &PIXELS)).await;
    // A third of a step away: snapped to the same levels, so the same votes.
    let beside = first_answer(values(|pixel| (f32::from(pixel) + 0.33) / 255.0)).await;
    assert_eq!(beside.noise_key, on_grid.noise_key);
    assert_eq!(
        (beside.votes_for_class, beside.votes),
        (on_grid.votes_for_class, on_grid.votes)
    );
    // sqrt(d) steps: half a step a coordinate here, and half for the perturbed input.
    let loss = 2.0 * STEP;
    assert!(
        beside.snapping_loss >= loss && beside.snapping_loss < loss * (1.0 + 1e-6),
        "{}",
        beside.snapping_loss
    );
    assert!(beside.radius <= on_grid.radius - loss && beside.radius > on_grid.radius - loss * (1.0 + 1e-6));
    recompute::assert_certificate(&beside, 0.9);
}

/// One coordinate beside the grid is enough: the perturbed input may lie beside it everywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_coordinate_beside_the_grid_costs_as_much_as_all() {
    let mut one = PIXELS.map(|pixel| f32::from(pixel) / 255.0);
    one[2] = one[2].next_up();
    let found = first_answer(floats(&[one])).await;
    assert!(found.snapping_loss >= 2.0 * STEP, "{found:?}");
}

/// Half a step away is the worst: both neighbours are as near.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_loss_covers_the_farthest_value() {
    let found = first_answer(values(|pixel| (f32::from(pixel) + 0.5) / 255.0)).await;
    assert!(found.snapping_loss >= 2.0 * STEP, "{found:?}");
    recompute::assert_certificate(&found, 0.9);
}

/// A target is a target after the loss: what is proven and served reaches it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_is_reached_after_the_loss() {
    let server = TestServer::start(Setup::pair("pixels_g", "pixels_h").with("mixture.alpha", 0.9)).await;
    let order = certimix::rpc::proto::CertifyRequest {
        target_radius: Some(0.1),
        ..certify_with_votes(values(|pixel| (f32::from(pixel) + 0.33) / 255.0), 100_000)
    };
    let answer = server.client().await.certify(order).await.unwrap().into_inner();
    let found = messages::certified(&answer.predictions[0]);
    assert_eq!(found.stop_reason(), certimix::rpc::proto::StopReason::TargetReached);
    assert!(found.radius >= 0.1 - 1e-12 && found.votes < 100_000, "{found:?}");
}
