//! healctl
fn main(){}
