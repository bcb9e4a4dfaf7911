//! The roles of the two models in the mixture.

use std::ops::{Index, IndexMut};

/// The role of a model in the mixture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `g`, the accurate model.
    Standard,
    /// `h`, the robust model.
    Robust,
}

impl Role {
    /// Both roles.
    pub const ALL: [Self; 2] = [Self::Standard, Self::Robust];

    /// The name in settings, logs and traces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Robust => "robust",
        }
    }
}

/// One value for each of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerRole<T> {
    /// The standard model's value.
    pub standard: T,
    /// The robust model's value.
    pub robust: T,
}

impl<T> PerRole<T> {
    /// Calls `make` for each role.
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
