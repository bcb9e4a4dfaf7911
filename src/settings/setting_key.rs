//! The description of one key of the settings file.

/// Whether a running server applies a new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloadability {
    /// A reload applies the new value.
    Live,
    /// The value is read once, at start. A reload that changes it is rejected.
    RestartOnly,
}

/// What the value of a key decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScope {
    /// Answers: with another value, the same request can get another class, other logits, another
    /// radius, or an abstention. The config revision covers these keys.
    Answers,
    /// Everything else: where the server listens, which requests it accepts, how fast it works, and
    /// what it logs. Replicas of one configuration may differ in these keys.
    Operation,
}

/// A key as its table declares it. Every method of the reader takes one, so that no key is read
/// without a description.
#[derive(Debug, Clone, Copy)]
pub(super) struct SettingKey {
    /// Dotted path: `server.listen`.
    pub(super) name: &'static str,
    /// What the value decides.
    pub(super) scope: KeyScope,
    /// Whether a running server applies a new value.
    pub(super) reload: Reloadability,
    /// The meaning, in Markdown.
    pub(super) help: &'static str,
    /// Documents a default that depends on other keys or on the machine.
    pub(super) computed_default: Option<&'static str>,
    /// What the number counts or measures; `None` for a value without a unit.
    pub(super) unit: Option<&'static str>,
    /// Whether the value may be, or may by mistake be, a secret. No message shows it.
    pub(super) is_secret: bool,
}

impl SettingKey {
    /// A key that a reload can change.
    pub(super) const fn live(name: &'static str, scope: KeyScope, help: &'static str) -> Self {
        Self {
            name,
            scope,
            reload: Reloadability::Live,
            help,
            computed_default: None,
            unit: None,
            is_secret: false,
        }
    }

    /// A key that is read at start only.
    pub(super) const fn restart_only(name: &'static str, scope: KeyScope, help: &'static str) -> Self {
        Self {
            reload: Reloadability::RestartOnly,
            ..Self::live(name, scope, help)
        }
    }

    /// Documents how the default is computed.
    pub(super) const fn with_computed_default(self, text: &'static str) -> Self {
        Self {
            computed_default: Some(text),
            ..self
        }
    }

    /// Keeps the value out of every message.
    pub(super) const fn secret(self) -> Self {
        Self {
            is_secret: true,
            ..self
        }
    }

    /// Documents what the number counts or measures.
    pub(super) const fn in_unit(self, unit: &'static str) -> Self {
        Self {
            unit: Some(unit),
            ..self
        }
    }
}

/// What a value must look like.
#[derive(Debug, Clone)]
pub(super) struct ValueFormat {
    /// The type of the TOML value.
    pub(super) value_type: &'static str,
    /// The accepted values, as error messages name them.
    pub(super) accepted: String,
    /// The default as TOML writes it; `None` for a required key.
    pub(super) default: Option<String>,
}

/// Everything that the reference documents about one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDescription {
    /// Dotted path: `server.listen`.
    pub name: &'static str,
    /// The type of the TOML value: `integer`, `duration`, `path`.
    pub value_type: &'static str,
    /// The accepted values, as error messages name them.
    pub accepted: String,
    /// The default, in Markdown; `None` for a required key.
    pub default: Option<String>,
    /// What the value decides.
    pub scope: KeyScope,
    /// Whether a running server applies a new value.
    pub reload: Reloadability,
    /// The meaning, in Markdown.
    pub help: &'static str,
    /// What a number counts or measures; `None` for a value without a unit, and for a duration,
    /// which carries its unit.
    pub unit: Option<&'static str>,
    /// Whether the value is kept out of every message.
    pub is_secret: bool,
}

impl KeyDescription {
    /// Joins what the table declares with the format that the reader checks.
    pub(super) fn new(key: SettingKey, format: &ValueFormat) -> Self {
        let computed = key.computed_default.map(str::to_owned);
        let constant = format.default.as_ref().map(|default| format!("`{default}`"));
        Self {
            name: key.name,
            value_type: format.value_type,
            accepted: format.accepted.clone(),
            default: computed.or(constant),
            scope: key.scope,
            reload: key.reload,
            help: key.help,
            unit: key.unit,
            is_secret: key.is_secret,
        }
    }
}
