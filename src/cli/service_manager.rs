//! Tells the service manager, such as systemd with `Type=notify`, what state the server is in.
//! Without one, which is without the variable `NOTIFY_SOCKET`, nothing is sent.

use sd_notify::NotifyState;

/// Reports that the server is ready: units that are ordered after this one start now.
pub(super) fn report_ready() {
    report(NotifyState::Ready);
}

/// Reports that the server drains, so that `systemctl status` shows why it still runs.
pub(super) fn report_stopping() {
    report(NotifyState::Stopping);
}

fn report(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot report the state to the service manager");
    }
}
