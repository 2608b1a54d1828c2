//! tinykube
