//! Tells the program where libtorch lies, so that nobody sets LD_LIBRARY_PATH.
//!
//! Searched in this order: LD_LIBRARY_PATH, folders beside the program (for an
//! installation that brings its own libtorch), the libtorch it was built with.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for beside in ["$ORIGIN", "$ORIGIN/lib", "$ORIGIN/../lib"] {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{beside}");
    }
    // torch-sys declares `links = "tch"`.
    println!("cargo::rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
