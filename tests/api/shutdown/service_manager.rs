//! The messages to a service manager such as systemd.

use std::os::unix::net::UnixDatagram;

use crate::support::Setup;
use crate::support::process::ServerProcess;
use crate::support::server::TEST_TIMEOUT;

#[test]
fn a_service_manager_learns_when_the_server_is_ready_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let message = || {
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };

    let setup = Setup::pair("linear_g", "linear_h");
    let mut server = ServerProcess::spawn_with(&setup.write(), &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    assert_eq!(message(), "READY=1");
    // The line precedes the message.
    server.address();
    server.signal("TERM");
    assert_eq!(message(), "STOPPING=1");
    assert!(server.wait().success());
}
