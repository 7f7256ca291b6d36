//! The `hushfs` program: everything is in the library's `cli` layer.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hushfs::cli::main()
}
