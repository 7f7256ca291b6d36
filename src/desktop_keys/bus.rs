//! Finding the session bus, and making sure that it is the caller's own.
//!
//! Whoever answers at the bus's address gets the key to keep. The address comes from the environment, so it is
//! not taken at its word: no TCP, whose traffic others read and which says nothing of who listens; no
//! program to be started (`unixexec`, `autolaunch`); and the process that listens at the socket must belong to
//! the caller (SO_PEERCRED, unix(7)). That also keeps `sudo hushfs` from leaving root's keys with a user.

use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{SocketAddr, UnixStream as StdStream};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use tokio::net::UnixStream;
use zbus::address::transport::{Transport, UnixSocket};

use super::error::DesktopKeysError;

/// Where a bus may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BusPlace {
    File(PathBuf),
    Abstract(Vec<u8>),
}

/// The place that the environment names: `DBUS_SESSION_BUS_ADDRESS`, or `bus` in `XDG_RUNTIME_DIR`.
pub(super) fn find() -> Result<(String, BusPlace), DesktopKeysError> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    from_environment(
        variable("DBUS_SESSION_BUS_ADDRESS").as_deref(),
        variable("XDG_RUNTIME_DIR").as_deref().map(Path::new),
    )
}

fn from_environment(
    address: Option<&OsStr>,
    runtime: Option<&Path>,
) -> Result<(String, BusPlace), DesktopKeysError> {
    if let Some(address) = address {
        let address = address.to_string_lossy().into_owned();
        let place = parse(&address)?;
        return Ok((address, place));
    }
    let socket = runtime.filter(|folder| folder.is_absolute()).map(|folder| folder.join("bus"));
    match socket.filter(|socket| socket.exists()) {
        Some(socket) => Ok((format!("unix:path={}", socket.display()), BusPlace::File(socket))),
        None => Err(DesktopKeysError::NoBus),
    }
}

/// The first address of a list (D-Bus Specification, "Server Addresses") that is a socket of this machine.
pub(super) fn parse(list: &str) -> Result<BusPlace, DesktopKeysError> {
    let places = list.split(';').filter(|address| !address.is_empty()).filter_map(|address| {
        match address.parse::<zbus::Address>() {
            Ok(address) => match address.transport() {
                Transport::Unix(unix) => match unix.path() {
                    UnixSocket::File(path) => {
                        let path = unescape(path.as_os_str().as_bytes())?;
                        Some(BusPlace::File(OsString::from_vec(path).into()))
                    }
                    UnixSocket::Abstract(name) => Some(BusPlace::Abstract(unescape(name.as_bytes())?)),
                    // Places for servers to listen at; nobody can connect to one.
                    _ => None,
                },
                _ => None,
            },
            Err(error) => {
                log::debug!("the bus address {address:?}: {error}");
                None
            }
        }
    });
    places.into_iter().next().ok_or_else(|| DesktopKeysError::ForeignBus(list.to_owned()))
}

/// The bytes that a value of an address stands for: `%20` is a space. `None` for an escape that is none.
pub(super) fn unescape(value: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_first_chunk::<2>()?;
        bytes.extend(HEXLOWER_PERMISSIVE.decode(digits).ok()?);
        rest = after;
    }
    Some(bytes)
}

/// Connects, and looks who is at the other end.
pub(super) async fn connect(address: &str, place: &BusPlace) -> Result<UnixStream, DesktopKeysError> {
    let failed = |source| DesktopKeysError::Bus { address: address.to_owned(), source };
    let stream = match place {
        BusPlace::File(path) => UnixStream::connect(path).await.map_err(failed)?,
        BusPlace::Abstract(name) => {
            let socket = SocketAddr::from_abstract_name(name).map_err(failed)?;
            let stream = StdStream::connect_addr(&socket).map_err(failed)?;
            stream.set_nonblocking(true).map_err(failed)?;
            UnixStream::from_std(stream).map_err(failed)?
        }
    };
    let owner = socket_peercred(&stream).map_err(|error| failed(error.into()))?.uid;
    check_owner(address, owner.as_raw(), geteuid().as_raw())?;
    Ok(stream)
}

fn check_owner(address: &str, owner: u32, caller: u32) -> Result<(), DesktopKeysError> {
    if owner == caller {
        return Ok(());
    }
    Err(DesktopKeysError::AnotherUsersBus { address: address.to_owned(), owner })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str) -> Result<BusPlace, DesktopKeysError> {
        from_environment(Some(OsStr::new(address)), None).map(|(_, place)| place)
    }

    #[test]
    fn sockets_of_this_machine_are_found_in_lists_and_with_escapes() {
        let file = |path: &str| BusPlace::File(path.into());
        for (address, place) in [
            ("unix:path=/run/user/1000/bus", file("/run/user/1000/bus")),
            ("unix:path=/tmp/a%20b,guid=00000000000000000000000000000000", file("/tmp/a b")),
            ("unix:abstract=/tmp/dbus-x", BusPlace::Abstract(b"/tmp/dbus-x".to_vec())),
            ("tcp:host=example.org,port=1;unix:path=/run/bus", file("/run/bus")),
        ] {
            assert_eq!(found(address).unwrap(), place, "{address}");
        }
    }

    #[test]
    fn a_bus_on_the_network_or_behind_a_program_is_refused() {
        for address in [
            "tcp:host=127.0.0.1,port=4711",
            "nonce-tcp:host=example.org,port=4711,noncefile=/tmp/x",
            "unixexec:path=/usr/bin/ssh,argv1=host",
            "autolaunch:",
            "launchd:env=X",
            "unix:tmpdir=/tmp",
            "unix:runtime=yes",
            "unix:path=/tmp/%zz",
            "unix:path=/tmp/%2",
            "nonsense",
            ";;",
        ] {
            let refused = found(address);
            assert!(matches!(refused, Err(DesktopKeysError::ForeignBus(_))), "{address}: {refused:?}");
        }
    }

    #[test]
    fn without_an_address_the_usual_place_counts_if_there_is_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let none = from_environment(None, Some(folder.path()));
        assert!(matches!(none, Err(DesktopKeysError::NoBus)));
        assert!(matches!(from_environment(None, None), Err(DesktopKeysError::NoBus)));
        assert!(matches!(from_environment(None, Some(Path::new("."))), Err(DesktopKeysError::NoBus)));
        let socket = folder.path().join("bus");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(from_environment(None, Some(folder.path())).unwrap().1, BusPlace::File(socket));
    }

    #[tokio::test]
    async fn a_bus_that_nobody_or_another_user_serves_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let place = BusPlace::File(socket);
        connect("unix:path=x", &place).await.unwrap();
        drop(listener);
        assert!(matches!(connect("x", &place).await, Err(DesktopKeysError::Bus { .. })));
        let refused = check_owner("unix:path=x", 1000, 0).unwrap_err().to_string();
        assert!(refused.contains("unix:path=x") && refused.contains("user 1000"), "{refused}");
    }
}
