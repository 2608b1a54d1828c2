//! controller
fn main(){}
