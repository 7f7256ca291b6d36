//! The `hushfs` program: everything is in the library.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    hushfs::cli::main()
}
