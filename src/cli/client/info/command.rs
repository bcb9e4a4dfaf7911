//! The arguments of `certimix info`, and its output.

use super::json::info_json;
use super::text::info_rows;
use crate::cli::client::connection::{ConnectionArgs, ServerConnection};
use crate::cli::output;
use crate::cli::text_layout::wrap;

/// Show the models, guarantee, mixture and limits of a server
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:\n  certimix info\n  certimix info --json | jq .robust.guarantee")]
pub struct InfoArgs {
    /// The server
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Print one JSON object instead: certimix.v1's GetModelInfoResponse
    #[arg(long)]
    pub json: bool,
}

/// Calls `GetModelInfo` and prints the response.
///
/// # Errors
/// When the server is unreachable.
pub async fn run(args: InfoArgs) -> anyhow::Result<()> {
    let connection = ServerConnection::open(&args.connection).await?;
    let info = connection.model_info().await?;
    if args.json {
        return output::line(info_json(&info));
    }
    output::line(format_args!("{}\n", connection.address))?;
    for line in info_lines(&info_rows(&info), output::width()) {
        output::line(line)?;
    }
    Ok(())
}

/// The columns of a title and the space behind it.
const TITLE_WIDTH: usize = 12;

/// The rows as lines of at most `width` columns: the titles on the left, the texts wrapped beside
/// them.
fn info_lines(rows: &[(&str, String)], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (title, text) in rows {
        let wrapped = text
            .lines()
            .flat_map(|line| wrap(line, width.saturating_sub(TITLE_WIDTH), "  "));
        for (index, line) in wrapped.enumerate() {
            let title = if index == 0 { *title } else { "" };
            // Padding comes before styling: the codes of a style have no width.
            let title = output::bold(&format!("{title:TITLE_WIDTH$}"));
            lines.push(format!("{title}{line}").trim_end().to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::text_layout::display_width;

    #[test]
    fn texts_stand_beside_their_titles() {
        let rows = [
            ("server", "one two three four".to_owned()),
            ("input", "five".to_owned()),
        ];
        assert_eq!(
            info_lines(&rows, 22),
            [
                "server      one two",
                "              three",
                "              four",
                "input       five"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(text in "(\\PC{0,30}\n?){0,10}", width in 40usize..200) {
            for line in info_lines(&[("certificate", text)], width) {
                prop_assert!(display_width(&line) <= width, "{line}");
            }
        }
    }
}
