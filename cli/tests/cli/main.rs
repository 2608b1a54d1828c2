//! healctl as people run it: the binary, its output and its exit codes.

mod demo;
mod playground;
mod replay;
mod run;
