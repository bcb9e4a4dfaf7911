//! A simplex architecture: the last certified action for a while, and then a controller that needs no certificate.

use super::report::Mode;

/// Ticks in a row without a certificate before the fallback controller takes over.
const HOLD_LIMIT: u32 = 15;
/// Certified ticks in a row before it hands back.
const RETURN_AFTER: u32 = 25;

/// Decides in each tick which controller acts. It starts with the fallback, because nothing is certified yet.
pub struct Simplex {
    hold_limit: u32,
    return_after: u32,
    /// Ticks in a row with a certified class, and without.
    with: u32,
    without: u32,
    mode: Mode,
    action: Option<String>,
}

impl Simplex {
    /// The simplex of a car that acts on any class never hands over.
    pub fn new(any_class: bool) -> Self {
        let (hold_limit, return_after) = if any_class {
            (u32::MAX, 1)
        } else {
            (HOLD_LIMIT, RETURN_AFTER)
        };
        Self {
            hold_limit,
            return_after,
            with: 0,
            without: 0,
            mode: Mode::Fallback,
            action: None,
        }
    }

    /// The mode and the action of this tick. `allowed` is the class to act on; `None` if there is none.
    pub fn decide(&mut self, allowed: Option<&str>) -> (Mode, Option<&str>) {
        let is_fallback = self.mode == Mode::Fallback;
        if let Some(class) = allowed {
            (self.with, self.without, self.action) = (self.with.saturating_add(1), 0, Some(class.to_owned()));
            if !is_fallback || self.with >= self.return_after {
                self.mode = Mode::Certified;
            }
        } else {
            (self.with, self.without) = (0, self.without.saturating_add(1));
            if !is_fallback {
                self.mode = if self.without <= self.hold_limit {
                    Mode::Hold
                } else {
                    Mode::Fallback
                };
            }
        }
        (
            self.mode,
            self.action.as_deref().filter(|_| self.mode != Mode::Fallback),
        )
    }
}
