//! Questions to a person at a terminal. A script gets an error that names the flags instead.

use std::io::{self, IsTerminal as _};

use anyhow::bail;
use dialoguer::theme::SimpleTheme;
use dialoguer::{Input, Select};

use crate::cli::output::SilentExit;

/// An answer that is offered.
#[derive(Debug, Clone)]
pub(super) enum Offer<T> {
    /// There is none.
    Nothing,
    /// It is usual. Only a person can confirm it.
    Likely(T),
    /// It follows from the files, or nothing is lost by it. A script takes it.
    Certain(T),
}

impl<T> Offer<T> {
    fn into_option(self) -> Option<T> {
        match self {
            Self::Nothing => None,
            Self::Likely(value) | Self::Certain(value) => Some(value),
        }
    }
}

/// Asks what the files and the flags do not tell.
pub(super) struct Questions {
    is_interactive: bool,
    /// The flags that a script lacks, each with its reason.
    missing: Vec<String>,
}

impl Questions {
    /// Asks nothing if `yes` is set, or if there is no terminal to ask.
    pub(super) fn new(yes: bool) -> Self {
        Self {
            is_interactive: !yes && io::stdin().is_terminal() && io::stderr().is_terminal(),
            missing: Vec::new(),
        }
    }

    /// Whether there is a person to ask.
    pub(super) fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// Asks for a text that `parse` accepts. `None`: `flag` is missing.
    ///
    /// # Errors
    /// If the terminal cannot be read, or the person interrupts.
    pub(super) fn text<T>(
        &mut self,
        flag: &str,
        prompt: &str,
        offer: Offer<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<Option<T>> {
        if !self.is_interactive {
            if let Offer::Certain(text) = &offer
                && let Ok(value) = parse(text)
            {
                return Ok(Some(value));
            }
            self.missing.push(format!("{flag}: {prompt}"));
            return Ok(None);
        }
        let mut input = Input::<String>::with_theme(&SimpleTheme)
            .with_prompt(prompt)
            .validate_with(|text: &String| parse(text).map(drop));
        if let Some(text) = offer.into_option() {
            input = input.default(text);
        }
        let answer = input.interact_text().map_err(interrupted)?;
        parse(&answer).map(Some).map_err(anyhow::Error::msg)
    }

    /// Asks for one of `options`, and returns its index. `None`: `flag` is missing.
    ///
    /// # Errors
    /// If the terminal cannot be read, or the person interrupts.
    pub(super) fn choice(
        &mut self,
        flag: &str,
        prompt: &str,
        options: &[String],
        offer: Offer<usize>,
    ) -> anyhow::Result<Option<usize>> {
        if !self.is_interactive {
            if let Offer::Certain(index) = offer {
                return Ok(Some(index));
            }
            self.missing.push(format!("{flag}: {prompt}: {}", options.join(", ")));
            return Ok(None);
        }
        let select = Select::with_theme(&SimpleTheme)
            .with_prompt(prompt)
            .items(options)
            .default(offer.into_option().unwrap_or(0));
        select.interact().map(Some).map_err(interrupted)
    }

    /// Ends the command if an answer is missing.
    ///
    /// # Errors
    /// Names every missing flag.
    pub(super) fn require_all(&self) -> anyhow::Result<()> {
        if self.missing.is_empty() {
            return Ok(());
        }
        bail!(
            "the files do not tell everything, and there is no terminal to ask\n  {}",
            self.missing.join("\n  ")
        )
    }
}

fn interrupted(error: dialoguer::Error) -> anyhow::Error {
    let dialoguer::Error::IO(error) = error;
    if error.kind() == io::ErrorKind::Interrupted {
        return SilentExit(130).into();
    }
    anyhow::Error::new(error).context("cannot read the answer from the terminal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_takes_certain_answers_only() {
        let mut questions = Questions::new(true);
        let parse = |text: &str| text.parse::<u8>().map_err(|error| error.to_string());
        let mut ask = |offer: Offer<&str>| {
            let offer = match offer {
                Offer::Certain(text) => Offer::Certain(text.to_owned()),
                Offer::Likely(text) => Offer::Likely(text.to_owned()),
                Offer::Nothing => Offer::Nothing,
            };
            questions.text("--number", "a number", offer, parse).unwrap()
        };
        assert_eq!(ask(Offer::Certain("7")), Some(7));
        assert_eq!(ask(Offer::Likely("7")), None);
        assert_eq!(ask(Offer::Nothing), None);
        let error = questions.require_all().unwrap_err().to_string();
        assert!(error.contains("--number: a number"), "{error}");
    }
}
