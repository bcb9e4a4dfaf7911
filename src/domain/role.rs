//! Which of the two models.

use std::ops::{Index, IndexMut};

/// The part of a model in the mixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `g`, accurate.
    Standard,
    /// `h`, robust.
    Robust,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Robust];

    /// As settings, logs and traces call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Robust => "robust",
        }
    }
}

/// One thing for each of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerRole<T> {
    /// The standard model's.
    pub standard: T,
    /// The robust model's.
    pub robust: T,
}

impl<T> PerRole<T> {
    /// Both, made alike.
    pub fn of(mut make: impl FnMut(Role) -> T) -> Self {
        Self {
            standard: make(Role::Standard),
            robust: make(Role::Robust),
        }
    }
}

impl<T> Index<Role> for PerRole<T> {
    type Output = T;

    fn index(&self, role: Role) -> &T {
        match role {
            Role::Standard => &self.standard,
            Role::Robust => &self.robust,
        }
    }
}

impl<T> IndexMut<Role> for PerRole<T> {
    fn index_mut(&mut self, role: Role) -> &mut T {
        match role {
            Role::Standard => &mut self.standard,
            Role::Robust => &mut self.robust,
        }
    }
}
