//! `scheduler.callers`: the shares of named callers.

use super::{MINIMAL, Settings, SettingsError, read, violated_keys};
use crate::settings::CallerIdentity;

fn with_callers(server: &str, entries: &str) -> String {
    format!("{MINIMAL}[server]\n{server}\n[scheduler]\ncallers = [{entries}]\n")
}

fn callers(server: &str, entries: &str) -> Settings {
    read(&with_callers(server, entries), &[]).unwrap()
}

fn message(server: &str, entries: &str) -> String {
    match read(&with_callers(server, entries), &[]) {
        Err(SettingsError::Invalid { violations, .. }) => violations.to_string(),
        other => panic!("{entries}: expected violations, found {other:?}"),
    }
}

#[test]
fn an_entry_names_a_caller_and_has_defaults() {
    let settings = callers(
        "bearer_token_file = \"tokens\"\nunix_socket = \"/tmp/certimix.sock\"",
        "{ name = \"planner\", token = \"planner-key\", weight = 4, max_share = 0.5 }, { name = \"local\", unix_user = 1000 }",
    );
    let [planner, local] = settings.callers.as_slice() else {
        panic!("{:?}", settings.callers)
    };
    assert_eq!(planner.name, "planner");
    assert_eq!(planner.identity, CallerIdentity::Token("planner-key".to_owned()));
    assert_eq!((planner.weight, planner.max_share), (4.0, 0.5));
    assert_eq!(local.identity, CallerIdentity::UnixUser(1000));
    assert_eq!((local.weight, local.max_share), (1.0, 1.0));
    assert_eq!(
        settings.effective["scheduler.callers"],
        "[{ name = \"planner\", token = \"planner-key\", weight = 4.0, max_share = 0.5 }, \
         { name = \"local\", unix_user = 1000, weight = 1.0, max_share = 1.0 }]"
    );
    let tables = format!("{MINIMAL}[[scheduler.callers]]\nname = \"host\"\naddress = \"10.0.0.7\"\n");
    let settings = read(&tables, &[]).unwrap();
    assert_eq!(
        settings.callers[0].identity,
        CallerIdentity::Address("10.0.0.7".parse().unwrap())
    );
}

#[test]
fn an_entry_that_is_not_valid_is_a_violation() {
    for entry in [
        "{ name = \"a\" }",
        "{ token = \"a\" }",
        "{ name = \"a\", address = \"10.0.0.7\", unix_user = 3 }",
        "{ name = \"a\", address = \"host.example\" }",
        "{ name = \"a\", unix_user = -1 }",
        "{ name = \"a\", address = \"10.0.0.7\", weight = 0 }",
        "{ name = \"a\", address = \"10.0.0.7\", weight = nan }",
        "{ name = \"a\", address = \"10.0.0.7\", max_share = 1.5 }",
        "{ name = \"a\", address = \"10.0.0.7\", wieght = 1 }",
        "{ name = \"other\", address = \"10.0.0.7\" }",
        "{ name = \"two words\", address = \"10.0.0.7\" }",
        "{ name = \"\", address = \"10.0.0.7\" }",
    ] {
        assert_eq!(
            violated_keys(&with_callers("", entry)),
            ["scheduler.callers"],
            "{entry}"
        );
    }
}

#[test]
fn an_entry_that_can_never_match_is_a_violation() {
    for (server, entry, expected) in [
        ("", "{ name = \"a\", token = \"t\" }", "needs server.bearer_token_file"),
        ("", "{ name = \"a\", certificate = \"c\" }", "needs tls.client_ca"),
        ("", "{ name = \"a\", unix_user = 1 }", "needs server.unix_socket"),
        (
            "bearer_token_file = \"tokens\"",
            "{ name = \"a\", address = \"10.0.0.7\" }",
            "needs callers without credentials",
        ),
    ] {
        let message = message(server, entry);
        assert!(message.contains("\"a\" can never match"), "{message}");
        assert!(message.contains(expected), "{message}");
    }
    let twice = message(
        "",
        "{ name = \"a\", address = \"10.0.0.7\" }, { name = \"a\", address = \"10.0.0.7\" }",
    );
    assert!(twice.contains("two entries have the name \"a\""), "{twice}");
    assert!(
        twice.contains("two entries stand for address = \"10.0.0.7\""),
        "{twice}"
    );
}
