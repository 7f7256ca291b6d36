//! The upper layer of an overlay filesystem, as containers have it. Needs root.

use crate::cli::Home;
use crate::programs::shell;

const SCRIPT: &str = r#"
    cd "$1"
    mkdir lower merged mount/upper mount/work
    mkdir lower/folder
    echo below >lower/changed; echo below >lower/moved; echo below >lower/removed; echo below >lower/folder/old
    merge() {
        mount -t overlay overlay -o lowerdir=lower,upperdir=mount/upper,workdir=mount/work merged
    }
    merge
    (
        trap 'umount merged' EXIT
        echo above >>merged/changed
        mv merged/moved merged/there
        rm merged/removed
        rm -r merged/folder; mkdir merged/folder; echo above >merged/folder/new
    )
    # Whiteouts take the places of what went.
    for name in moved removed; do [ "$(stat -c '%F %t %T' "mount/upper/$name")" = 'character special file 0 0' ]; done
"#;

const CHECK: &str = r#"
    cd "$1"
    mount -t overlay overlay -o lowerdir=lower,upperdir=mount/upper,workdir=mount/work merged
    trap 'umount merged' EXIT
    [ "$(cd merged; echo * folder/*)" = 'changed folder there folder/new' ]
    [ "$(cat merged/changed merged/there merged/folder/new)" = "$(printf 'below\nabove\nbelow\nabove')" ]
"#;

#[test]
fn an_overlay_keeps_its_changes_on_the_mount() {
    let home = Home::with_volume();
    let mount = || {
        let mut call = home.hushfs(["mount", "-o", "dev,suid", &home.bucket(), &home.mount_str()]);
        call = call.pass();
        call.expect(0);
    };
    mount();
    shell(&home.path(""), SCRIPT, &[&home.path("")]);
    home.unmount();
    home.forget();
    mount();
    shell(&home.path(""), CHECK, &[&home.path("")]);
    home.unmount();
}
