//! A package manager: dpkg installs, upgrades, verifies and removes in a root of its own.

use std::fs;
use std::path::Path;

use crate::mounted;
use crate::programs::shell;

/// Makes packages of two versions of one program.
const BUILD: &str = r#"
    for version in 1 2; do
        mkdir -p "small-$version"/{DEBIAN,usr/bin,usr/share/small,etc}
        printf '%s\n' 'Package: small' "Version: $version" 'Architecture: all' 'Maintainer: A <a@b.example>' \
            'Description: small' >"small-$version/DEBIAN/control"
        echo /etc/small.conf >"small-$version/DEBIAN/conffiles"
        echo "version = $version" >"small-$version/etc/small.conf"
        printf '#!/bin/sh\necho %s\n' "$version" >"small-$version/usr/bin/small"
        chmod 755 "small-$version/usr/bin/small"
        ln -s small "small-$version/usr/bin/little"
        for number in $(seq 100); do
            echo "$version $number" >"small-$version/usr/share/small/in $version, $number"
        done
        dpkg-deb --root-owner-group --build "small-$version" >/dev/null
    done
    mkdir -p "$1"/var/lib/dpkg/{info,updates,triggers}
    : >"$1/var/lib/dpkg/status"
"#;

#[test]
fn dpkg_installs_upgrades_verifies_and_removes() {
    let home = mounted();
    let (root, source) = (home.mount().join("root"), home.path("packages"));
    fs::create_dir_all(&root).unwrap();
    fs::create_dir(&source).unwrap();
    shell(&source, BUILD, &[&root]);
    let dpkg = |arguments: &str| {
        let script = format!("dpkg --root=\"$1\" --force-not-root --log=/dev/null {arguments} 2>&1");
        shell(&source, &script, &[&root])
    };
    let installed = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    dpkg("--install small-1.deb");
    assert_eq!(installed("etc/small.conf"), "version = 1\n");
    dpkg("--install small-2.deb");
    home.move_to_new_machine();
    assert_eq!(dpkg("--verify small"), "", "dpkg finds what it did not install");
    assert!(dpkg("--status small").contains("Version: 2"));
    assert_eq!(shell(&root, "usr/bin/little", &[]), "2\n");
    let share = |root: &Path| fs::read_dir(root.join("usr/share/small")).unwrap().count();
    assert_eq!(share(&root), 100, "files of the old version are left");
    dpkg("--purge small");
    assert!(!root.join("usr").exists() && !root.join("etc").exists());
    home.unmount();
}
